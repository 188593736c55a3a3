"""ObjectStore on any S3-compatible store, by boto3 in threads; presigning is computation only."""

import asyncio
import base64
import contextlib
import gzip
import hashlib
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import get_session
from prometheus_client import Counter, Histogram

from studio.settings import StorageSettings, read_secret
from studio.storage.port import ObjectFacts, ObjectMissing, ObjectTooLarge, SignedRequest, StorageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

CHUNK = 1024 * 1024
_MISSING = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchBucket"})
_ALREADY = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})

REQUESTS = Counter("studio_storage_requests_total", "Requests to the object store.", ["operation", "outcome"])
SECONDS = Histogram("studio_storage_request_seconds", "Duration of requests to the object store.", ["operation"])


class _LeanFiles(JSONFileLoader):
    """The descriptions of services as botocore reads them, in plain dictionaries without their prose: 8 MiB less."""

    def load_file(self, file_path: str) -> Any:
        """What a file describes; None if there is none."""
        for path, opened in ((Path(f"{file_path}.json"), open), (Path(f"{file_path}.json.gz"), gzip.open)):
            if path.is_file():
                with opened(path, "rb") as file:
                    return json.loads(file.read(), object_hook=_without_prose)
        return None


def _without_prose(part: dict[str, Any]) -> dict[str, Any]:
    return {sys.intern(key): "" if key == "documentation" else value for key, value in part.items()}


class S3Store:
    """One bucket of an S3-compatible store, addressed by path, signed with version 4."""

    def __init__(self, client: "S3Client", *, bucket: str, prefix: str = "") -> None:
        """Use `bucket` and put `prefix` before every key."""
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    @classmethod
    def open(cls, settings: StorageSettings) -> Self:
        """A store by settings; reads the keys from their files and sends nothing yet."""
        session = get_session()
        session.register_component("data_loader", Loader(file_loader=_LeanFiles()))
        client = session.create_client(
            "s3",
            endpoint_url=settings.endpoint,
            region_name=settings.region,
            aws_access_key_id=read_secret(settings.access_key_file),
            aws_secret_access_key=read_secret(settings.secret_key_file),
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                connect_timeout=5,
                read_timeout=30,
                retries={"mode": "standard", "total_max_attempts": 4},
                max_pool_connections=16,
                # Checksums are ours (sha256); not every gateway knows the newer default ones.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        return cls(cast("S3Client", client), bucket=settings.bucket, prefix=settings.prefix)

    async def ensure_bucket(self) -> None:
        """Make the bucket if it is not there."""

        def ensure() -> None:
            try:
                self._client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if _code(error) not in _MISSING:
                    raise
                try:
                    self._client.create_bucket(Bucket=self._bucket)
                except ClientError as refused:
                    if _code(refused) not in _ALREADY:
                        raise

        await self._call("ensure_bucket", ensure)

    async def put(self, key: str, data: bytes, *, sha256: str, content_type: str = "application/octet-stream") -> None:
        """Store bytes; the store refuses them if their sha256 (hex) differs."""
        await self._call(
            "put",
            lambda: self._client.put_object(
                Bucket=self._bucket, Key=self._key(key), Body=data, ContentType=content_type,
                ChecksumSHA256=_base64(sha256),
            ),
        )  # fmt: skip

    async def get(self, key: str, *, limit: int) -> bytes:
        """The bytes of an object; ObjectMissing, ObjectTooLarge if it has more than `limit` bytes."""

        def get() -> bytes:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(key))
            with contextlib.closing(answer["Body"]) as body:
                _check_size(key, answer["ContentLength"], limit)
                return body.read()

        return await self._call("get", get)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes of an object in pieces of a megabyte, as they are asked for; ObjectMissing at the first."""
        answer = await self._call("read", lambda: self._client.get_object(Bucket=self._bucket, Key=self._key(key)))
        with contextlib.closing(answer["Body"]) as body:
            while piece := await self._call("read", lambda: body.read(CHUNK)):
                yield piece

    async def head(self, key: str) -> ObjectFacts | None:
        """Size and digest of an object, or None if there is none."""
        try:
            answer = await self._call(
                "head",
                lambda: self._client.head_object(Bucket=self._bucket, Key=self._key(key), ChecksumMode="ENABLED"),
            )
        except ObjectMissing:
            return None
        checksum = answer.get("ChecksumSHA256")
        return ObjectFacts(answer["ContentLength"], base64.b64decode(checksum).hex() if checksum else None)

    async def digest(self, key: str, *, limit: int) -> str:
        """The sha256 (hex) of an object by reading it; ObjectMissing, ObjectTooLarge beyond `limit` bytes."""

        def digest() -> str:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(key))
            with contextlib.closing(answer["Body"]) as body:
                _check_size(key, answer["ContentLength"], limit)
                found = hashlib.sha256()
                for chunk in body.iter_chunks(CHUNK):
                    found.update(chunk)
                return found.hexdigest()

        return await self._call("digest", digest)

    async def delete(self, key: str) -> None:
        """Delete an object; no error if there is none."""
        try:
            await self._call("delete", lambda: self._client.delete_object(Bucket=self._bucket, Key=self._key(key)))
        except ObjectMissing:
            return

    def presign_get(self, key: str, *, seconds: int) -> str:
        """A URL that reads the object for `seconds`."""
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": self._key(key)}, ExpiresIn=seconds
        )

    def presign_put(self, key: str, *, sha256: str, seconds: int) -> SignedRequest:
        """A request that stores exactly the bytes with this sha256 (hex)."""
        checksum = _base64(sha256)
        url = self._client.generate_presigned_url(
            "put_object",
            Params={"Bucket": self._bucket, "Key": self._key(key), "ChecksumSHA256": checksum},
            ExpiresIn=seconds,
        )
        return SignedRequest(url, {"x-amz-checksum-sha256": checksum})

    def _key(self, key: str) -> str:
        return f"{self._prefix}{key}"

    async def _call(self, operation: str, request: Callable[[], T]) -> T:
        began = time.monotonic()
        outcome = "error"
        try:
            answer = await asyncio.to_thread(request)
            outcome = "ok"
        except ClientError as error:
            outcome = _code(error)
            if outcome in _MISSING:
                raise ObjectMissing(f"the object store has no such object ({operation}: {outcome})") from error
            raise StorageError(f"the object store refused to {operation}: {outcome}") from error
        except (BotoCoreError, OSError) as error:
            raise StorageError(f"the object store did not answer to {operation}: {type(error).__name__}") from error
        else:
            return answer
        finally:
            REQUESTS.labels(operation, outcome).inc()
            SECONDS.labels(operation).observe(time.monotonic() - began)


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "unknown")


def _base64(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _check_size(key: str, size: int, limit: int) -> None:
    if size > limit:
        raise ObjectTooLarge(f"the object {key} has {size} bytes, more than the {limit} that are read")
