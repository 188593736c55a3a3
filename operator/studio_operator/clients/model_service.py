"""The client of the two orchestrators of each Studio."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import aiohttp
from pydantic import ValidationError

from studio.contract.labels import Component
from studio.contract.model_service import (
    Change,
    DesiredRunning,
    DesiredTraining,
    Message,
    ObservedRunning,
    ObservedTraining,
    Removal,
    Slots,
)
from studio_operator.clients.studio_http import CONNECT_SECONDS, StudioHttp, raise_for_status, words
from studio_operator.ports import Unreachable
from studio_operator.runtime.streams import Stream

# 16 MiB of content at most; a slow link gets its time.
CONTENT_SECONDS = 60.0
# The turn of a Studio waits for them, and repairs nothing meanwhile.
SLOTS_SECONDS = 3.0
# The orchestrators send a comment every 10 s.
SILENCE_SECONDS = 30.0

M = TypeVar("M", bound=Message)


class HttpModelService:
    """The `ModelService` port over HTTP."""

    def __init__(self, http: StudioHttp) -> None:
        self._http = http

    async def put_training(self, desired: DesiredTraining) -> ObservedTraining:
        """Say what is wanted, hear what is."""
        url = self._assistant(Component.TRAINING_ORCHESTRATOR, desired.namespace, desired.studio, desired.name)
        data = await self._http.call("put", Component.TRAINING_ORCHESTRATOR, "PUT", url, **_json(desired))
        return _parsed(ObservedTraining, data, url)

    async def put_content(self, desired: DesiredTraining, archive: bytes, sha256: str) -> None:
        """Hand over the content of `desired.fingerprint`, a tar.gz with its digest in hex."""
        base = self._assistant(Component.TRAINING_ORCHESTRATOR, desired.namespace, desired.studio, desired.name)
        await self._http.call(
            "content",
            Component.TRAINING_ORCHESTRATOR,
            "PUT",
            f"{base}/content/{desired.fingerprint}",
            data=io.BytesIO(archive),
            headers={"X-Content-SHA256": sha256, "Content-Type": "application/gzip"},
            seconds=CONTENT_SECONDS,
        )

    async def put_running(self, desired: DesiredRunning) -> ObservedRunning:
        """Say what is wanted, hear what is."""
        url = self._assistant(Component.RUNNING_ORCHESTRATOR, desired.namespace, desired.studio, desired.name)
        data = await self._http.call("put", Component.RUNNING_ORCHESTRATOR, "PUT", url, **_json(desired))
        return _parsed(ObservedRunning, data, url)

    async def remove(
        self, namespace: str, studio: str, assistant: str, uid: str, *, delete_data: bool
    ) -> list[Removal]:
        """Ask both orchestrators to stop and clean; one answer each, in the order training, running."""
        query = {"uid": uid, "delete_data": "true" if delete_data else "false"}
        return list(
            await asyncio.gather(
                *(
                    self._remove(component, namespace, studio, assistant, query)
                    for component in (Component.TRAINING_ORCHESTRATOR, Component.RUNNING_ORCHESTRATOR)
                )
            )
        )

    async def slots(self, namespace: str, studio: str) -> Slots:
        """What the running consumers hold."""
        component = Component.RUNNING_ORCHESTRATOR
        url = f"{self._http.base(component, namespace, studio)}/v1/slots"
        return _parsed(Slots, await self._http.call("slots", component, "GET", url, seconds=SLOTS_SECONDS), url)

    async def changes(self, stream: Stream) -> AsyncIterator[str | None]:
        """None once connected, then the names of assistants to look at again, until the server ends the stream.

        Raises Unreachable when the stream breaks or falls silent, Refused when it is not granted.
        """
        url = f"{self._http.base(stream.component, stream.namespace, stream.studio)}/v1/changes"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
        try:
            async with self._http.session.get(
                url, timeout=timeout, headers={**self._http.authorization(), "Accept": "text/event-stream"}
            ) as response:
                await raise_for_status(response)
                yield None
                async for line in response.content:
                    if line.startswith(b"data:"):
                        yield _parsed(Change, line.removeprefix(b"data:").strip(), url).assistant
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unreachable(f"the change stream of {url} broke: {words(error)}") from error

    async def _remove(
        self, component: Component, namespace: str, studio: str, assistant: str, query: dict[str, str]
    ) -> Removal:
        url = self._assistant(component, namespace, studio, assistant)
        return _parsed(Removal, await self._http.call("remove", component, "DELETE", url, params=query), url)

    def _assistant(self, component: Component, namespace: str, studio: str, name: str) -> str:
        return f"{self._http.base(component, namespace, studio)}/v1/assistants/{name}"


def _json(message: Message) -> dict[str, Any]:
    return {"data": message.model_dump_json().encode(), "headers": {"Content-Type": "application/json"}}


def _parsed(message: type[M], data: bytes, url: str) -> M:
    try:
        return message.model_validate_json(data)
    except ValidationError as error:
        raise Unreachable(
            f"{url} answered something that is not a {message.__name__}: {error.error_count()} errors"
        ) from (error)
