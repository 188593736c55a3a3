"""The S3 implementation against a server of its own; signatures and checksums are checked by the end-to-end tests."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from moto.server import ThreadedMotoServer
from tests.fakes.storage import FakeStore

from studio.settings import SettingsError, StorageSettings
from studio.storage.port import ObjectMissing, ObjectStore, ObjectTooLarge, StorageError
from studio.storage.s3 import S3Store


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def settings(endpoint: str, tmp_path: Path) -> StorageSettings:
    for name in ("access", "secret"):
        (tmp_path / name).write_text(f"{name}\n")
    return StorageSettings(
        endpoint, "us-east-1", "studio", tmp_path / "access", tmp_path / "secret", prefix=f"{tmp_path.name}/"
    )


@pytest.fixture(params=["s3", "fake"])
async def store(request: pytest.FixtureRequest, settings: StorageSettings) -> ObjectStore:
    made: ObjectStore = S3Store.open(settings) if request.param == "s3" else FakeStore()
    for _ in range(2):
        await made.ensure_bucket()
    return made


async def test_put_get_head_delete(store: ObjectStore) -> None:
    assert await store.head("a/b") is None
    await store.put("a/b", b"hello", sha256=sha256(b"hello"))
    assert await store.get("a/b", limit=5) == b"hello"
    assert await store.digest("a/b", limit=5) == sha256(b"hello")
    facts = await store.head("a/b")
    assert facts is not None
    assert facts.size == 5
    assert facts.sha256 in (None, sha256(b"hello"))  # not every store tells
    for read in (store.get, store.digest):
        with pytest.raises(ObjectTooLarge):
            await read("a/b", limit=4)
    for _ in range(2):
        await store.delete("a/b")
    for read in (store.get, store.digest):
        with pytest.raises(ObjectMissing):
            await read("a/b", limit=5)


def test_presigned_requests_name_the_object_and_its_digest(settings: StorageSettings) -> None:
    store = S3Store.open(settings)
    signed = store.presign_put("k", sha256=sha256(b"x"), seconds=60)
    url = urlsplit(signed.url)
    query = parse_qs(url.query)
    assert url.path == f"/studio/{settings.prefix}k"
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["60"]
    assert query["X-Amz-SignedHeaders"] == ["host;x-amz-checksum-sha256"]
    assert set(signed.headers) == {"x-amz-checksum-sha256"}
    assert "X-Amz-Signature" in store.presign_get("k", seconds=60)


async def test_a_store_that_is_not_there(settings: StorageSettings) -> None:
    import dataclasses

    store = S3Store.open(dataclasses.replace(settings, endpoint="http://127.0.0.1:1"))
    with pytest.raises(StorageError, match="did not answer"):
        await store.get("k", limit=1)


def test_an_empty_key_file_is_said(settings: StorageSettings) -> None:
    settings.secret_key_file.write_text("")
    with pytest.raises(SettingsError, match="is empty"):
        S3Store.open(settings)
