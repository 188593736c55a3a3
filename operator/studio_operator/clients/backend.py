"""The client of the back end of each Studio, for what was published there."""

from collections.abc import Mapping
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from studio.contract.labels import Component
from studio_operator.clients.studio_http import StudioHttp
from studio_operator.ports import Unreachable

# 8 MiB of content at most, and what JSON adds to it.
CONTENT_BYTES = 24 * 1024 * 1024
CONTENT_SECONDS = 60.0


class _Published(BaseModel):
    revision: int
    files: dict[str, str]


class HttpContents:
    """The `Contents` port over HTTP."""

    def __init__(self, http: StudioHttp) -> None:
        self._http = http

    async def published(self, namespace: str, studio: str, assistant: str, revision: str) -> Mapping[str, str]:
        """The files of a revision, text by path."""
        base = self._http.base(Component.BACKEND, namespace, studio)
        url = f"{base}/internal/v1/assistants/{quote(assistant, safe='')}/content"
        data = await self._http.call(
            "content",
            Component.BACKEND,
            "GET",
            url,
            params={"revision": revision},
            seconds=CONTENT_SECONDS,
            at_most=CONTENT_BYTES,
        )
        try:
            published = _Published.model_validate_json(data)
        except ValidationError as error:
            raise Unreachable(f"{url} answered something that is no content: {error.error_count()} errors") from error
        if str(published.revision) != revision:
            raise Unreachable(f"{url} answered revision {published.revision} instead of {revision}")
        return published.files
