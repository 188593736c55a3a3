"""Files to and from object storage by presigned URL: streamed, bounded, verified."""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path

import aiohttp
from yarl import URL

from studio.contract.model_service import FileDigest
from studio.model_service.helper.archive import open_plain

_CHUNK = 256 * 1024
_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=15, sock_read=60)
_ERROR, _NOT_FOUND = 400, 404


class TransferError(Exception):
    """A transfer failed; another try, with a fresh URL, may go well."""


class ObjectGone(TransferError):
    """The store has no such object."""


class WrongDigest(TransferError):
    """What was stored is not what was announced."""


def storage_session() -> aiohttp.ClientSession:
    """A session for `download` and `upload`."""
    return aiohttp.ClientSession(timeout=_TIMEOUT, auto_decompress=False)


async def download(session: aiohttp.ClientSession, url: str, path: Path, expected: FileDigest) -> None:
    """Write what `url` gives to `path` if it is what is expected. Raises TransferError, ObjectGone, WrongDigest."""
    partial = path.with_name(path.name + ".part")
    hasher, size = hashlib.sha256(), 0
    try:
        async with session.get(URL(url, encoded=True)) as response:
            if response.status == _NOT_FOUND:
                raise ObjectGone("object storage has no such object")
            if response.status >= _ERROR:
                raise TransferError(f"object storage answered {response.status} to a download")
            with partial.open("wb") as file:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    size += len(chunk)
                    if size > expected.size:
                        raise WrongDigest(f"the stored object is larger than the {expected.size} bytes it should have")
                    hasher.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise TransferError(f"the download broke: {error!r}") from error
    if (size, hasher.hexdigest()) != (expected.size, expected.sha256):
        raise WrongDigest(
            f"the stored object has sha256 {hasher.hexdigest()} and {size} bytes, "
            f"expected {expected.sha256} and {expected.size} bytes"
        )
    partial.replace(path)


async def upload(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], path: Path) -> None:
    """PUT a plain file. Raises TransferError."""
    with open_plain(path) as file:
        try:
            async with session.put(URL(url, encoded=True), data=file, headers=headers) as response:
                if response.status >= _ERROR:
                    raise TransferError(f"object storage answered {response.status} to an upload")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TransferError(f"the upload broke: {error!r}") from error
