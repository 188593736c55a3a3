"""An ObjectStore in memory; presigned URLs are `memory://` and are used through `upload` and `download`."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from studio.storage.port import ObjectFacts, ObjectMissing, ObjectTooLarge, SignedRequest, StorageError


@dataclass
class FakeStore:
    """Objects by key; `broken` makes every request fail, `verifies` says whether `head` knows digests."""

    objects: dict[str, bytes] = field(default_factory=dict)
    broken: bool = False
    verifies: bool = True

    async def ensure_bucket(self) -> None:
        self._check()

    async def put(self, key: str, data: bytes, *, sha256: str, content_type: str = "application/octet-stream") -> None:
        self._check()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StorageError("the object store refused to put: BadDigest")
        self.objects[key] = data

    async def get(self, key: str, *, limit: int) -> bytes:
        self._check()
        if key not in self.objects:
            raise ObjectMissing(key)
        if len(self.objects[key]) > limit:
            raise ObjectTooLarge(key)
        return self.objects[key]

    async def read(self, key: str) -> AsyncIterator[bytes]:
        self._check()
        if key not in self.objects:
            raise ObjectMissing(key)
        data = self.objects[key]
        for start in range(0, len(data), 1024):
            yield data[start : start + 1024]

    async def head(self, key: str) -> ObjectFacts | None:
        self._check()
        data = self.objects.get(key)
        if data is None:
            return None
        return ObjectFacts(len(data), hashlib.sha256(data).hexdigest() if self.verifies else None)

    async def digest(self, key: str, *, limit: int) -> str:
        return hashlib.sha256(await self.get(key, limit=limit)).hexdigest()

    async def delete(self, key: str) -> None:
        self._check()
        self.objects.pop(key, None)

    def presign_get(self, key: str, *, seconds: int) -> str:
        return f"memory://{key}"

    def presign_put(self, key: str, *, sha256: str, seconds: int) -> SignedRequest:
        return SignedRequest(f"memory://{key}", {"x-sha256": sha256})

    def upload(self, url: str, data: bytes) -> None:
        """What the holder of a presigned PUT does."""
        self.objects[url.removeprefix("memory://")] = data

    def download(self, url: str) -> bytes:
        """What the holder of a presigned GET does."""
        return self.objects[url.removeprefix("memory://")]

    def _check(self) -> None:
        if self.broken:
            raise StorageError("the object store did not answer")
