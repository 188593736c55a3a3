"""The client of the two orchestrators of each Studio."""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
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
)
from studio_operator.ports import Refused, Unreachable
from studio_operator.runtime import metrics
from studio_operator.runtime.streams import Stream

URL_TEMPLATE = "http://{studio}-{component}.{namespace}.svc:8080"
REQUEST_SECONDS = 10.0
# 16 MiB of content at most; a slow link gets its time.
CONTENT_SECONDS = 60.0
# The orchestrators send a comment every 10 s.
SILENCE_SECONDS = 30.0

M = TypeVar("M", bound=Message)


class HttpModelService:
    """The `ModelService` port over HTTP. Raises Unreachable and Refused; it repeats nothing, the next pass does.

    `url_template` has the fields {studio}, {component} and {namespace}. The token file is read for every request:
    the kubelet rotates it. Must be made inside a running event loop, and closed.
    """

    def __init__(self, *, token_file: Path | None, url_template: str = URL_TEMPLATE, user_agent: str) -> None:
        self._token_file = token_file
        self._url_template = url_template
        # A Service that was made anew has another address: the cluster's DNS caches long enough for both of us.
        connector = aiohttp.TCPConnector(use_dns_cache=False)
        headers = {"User-Agent": user_agent, "Accept": "application/json"}
        self._session = aiohttp.ClientSession(connector=connector, headers=headers)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def put_training(self, desired: DesiredTraining) -> ObservedTraining:
        """Say what is wanted, hear what is."""
        url = self._assistant(Component.TRAINING_ORCHESTRATOR, desired.namespace, desired.studio, desired.name)
        data = await self._call("put", Component.TRAINING_ORCHESTRATOR, "PUT", url, **_json(desired))
        return _parsed(ObservedTraining, data, url)

    async def put_content(self, desired: DesiredTraining, archive: bytes, sha256: str) -> None:
        """Hand over the content of `desired.fingerprint`, a tar.gz with its digest in hex."""
        base = self._assistant(Component.TRAINING_ORCHESTRATOR, desired.namespace, desired.studio, desired.name)
        await self._call(
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
        data = await self._call("put", Component.RUNNING_ORCHESTRATOR, "PUT", url, **_json(desired))
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

    async def changes(self, stream: Stream) -> AsyncIterator[str | None]:
        """None once connected, then the names of assistants to look at again, until the server ends the stream.

        Raises Unreachable when the stream breaks or falls silent, Refused when it is not granted.
        """
        url = f"{self._base(stream.component, stream.namespace, stream.studio)}/v1/changes"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_SECONDS, sock_read=SILENCE_SECONDS)
        try:
            async with self._session.get(
                url, timeout=timeout, headers={**self._authorization(), "Accept": "text/event-stream"}
            ) as response:
                await _raise_for_status(response)
                yield None
                async for line in response.content:
                    if line.startswith(b"data:"):
                        yield _parsed(Change, line.removeprefix(b"data:").strip(), url).assistant
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unreachable(f"the change stream of {url} broke: {_words(error)}") from error

    async def _remove(
        self, component: Component, namespace: str, studio: str, assistant: str, query: dict[str, str]
    ) -> Removal:
        url = self._assistant(component, namespace, studio, assistant)
        return _parsed(Removal, await self._call("remove", component, "DELETE", url, params=query), url)

    async def _call(
        self,
        call: str,
        component: Component,
        method: str,
        url: str,
        *,
        seconds: float = REQUEST_SECONDS,
        **request: Any,
    ) -> bytes:
        headers = {**request.pop("headers", {}), **self._authorization()}
        started, code = time.monotonic(), "0"
        try:
            async with self._session.request(
                method, url, timeout=aiohttp.ClientTimeout(total=seconds), headers=headers, **request
            ) as response:
                code = str(response.status)
                await _raise_for_status(response)
                return await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"the {component.value} does not answer: {_words(error)}") from error
        finally:
            metrics.MODEL_SERVICE_REQUESTS.labels(component.value, call, code).inc()
            metrics.MODEL_SERVICE_SECONDS.labels(component.value, call).observe(time.monotonic() - started)

    def _authorization(self) -> dict[str, str]:
        if self._token_file is None:
            return {}
        try:
            token = self._token_file.read_text().strip()
        except OSError as error:
            raise Unreachable(f"the operator's token for the model service cannot be read: {error}") from error
        return {"Authorization": f"Bearer {token}"}

    def _base(self, component: Component, namespace: str, studio: str) -> str:
        return self._url_template.format(studio=studio, component=component.value, namespace=namespace)

    def _assistant(self, component: Component, namespace: str, studio: str, name: str) -> str:
        return f"{self._base(component, namespace, studio)}/v1/assistants/{name}"


def _json(message: Message) -> dict[str, Any]:
    return {"data": message.model_dump_json().encode(), "headers": {"Content-Type": "application/json"}}


def _parsed(message: type[M], data: bytes, url: str) -> M:
    try:
        return message.model_validate_json(data)
    except ValidationError as error:
        raise Unreachable(
            f"{url} answered something that is not a {message.__name__}: {error.error_count()} errors"
        ) from (error)


async def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    """5xx means that the orchestrator or its database is not there, which passes; 4xx is a refusal."""
    if response.status < 400:  # noqa: PLR2004
        return
    detail = f"{response.status} {response.reason}"
    with suppress(ValueError, aiohttp.ClientError):
        problem = json.loads(await response.read())
        if isinstance(problem, dict):
            detail = str(problem.get("detail") or problem.get("title") or detail)
    if response.status >= 500:  # noqa: PLR2004
        raise Unreachable(f"the model service is not able to answer: {detail}")
    raise Refused(response.status, detail)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
