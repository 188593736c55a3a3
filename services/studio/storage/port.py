"""What the services ask of object storage. Keys are relative to the configured prefix."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class StorageError(Exception):
    """The store refused or did not answer."""


class ObjectMissing(StorageError):
    """There is no object under the key."""


class ObjectTooLarge(StorageError):
    """The object is larger than the caller reads."""


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What the store knows about an object: `sha256` (hex) only if the store itself verified it."""

    size: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A presigned URL and the headers that must be sent with it, exactly."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


class ObjectStore(Protocol):
    """One bucket. Every method but the presigning ones does I/O and raises StorageError."""

    async def ensure_bucket(self) -> None:
        """Make the bucket if it is not there."""

    async def put(self, key: str, data: bytes, *, sha256: str, content_type: str = "application/octet-stream") -> None:
        """Store bytes; the store refuses them if their sha256 (hex) differs."""

    async def get(self, key: str, *, limit: int) -> bytes:
        """The bytes of an object; ObjectMissing, ObjectTooLarge if it has more than `limit` bytes."""

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes of an object in pieces of about a megabyte, as they are asked for; ObjectMissing at the first."""

    async def head(self, key: str) -> ObjectFacts | None:
        """Size and digest of an object, or None if there is none."""

    async def digest(self, key: str, *, limit: int) -> str:
        """The sha256 (hex) of an object by reading it; ObjectMissing, ObjectTooLarge beyond `limit` bytes."""

    async def delete(self, key: str) -> None:
        """Delete an object; no error if there is none."""

    def presign_get(self, key: str, *, seconds: int) -> str:
        """A URL that reads the object for `seconds`. Computed here, without a request."""

    def presign_put(self, key: str, *, sha256: str, seconds: int) -> SignedRequest:
        """A request that stores exactly the bytes with this sha256 (hex). Computed here, without a request."""
