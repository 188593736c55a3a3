"""HTTP to the services of Studios, as the operator: its token, timeouts, metrics, and two kinds of errors."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from studio.contract.labels import Component
from studio_operator.ports import Refused, Unreachable
from studio_operator.runtime import metrics

URL_TEMPLATE = "http://{studio}-{component}.{namespace}.svc:8080"
REQUEST_SECONDS = 10.0
# Inside a cluster this takes milliseconds, but the address of a Service that is gone never answers.
CONNECT_SECONDS = 2.0


class StudioHttp:
    """Raises Unreachable and Refused; it repeats nothing, the next pass does.

    `url_template` has the fields {studio}, {component} and {namespace}. The token file is read for every request:
    the kubelet rotates it. Must be made inside a running event loop, and closed.
    """

    def __init__(self, *, token_file: Path | None, url_template: str = URL_TEMPLATE, user_agent: str) -> None:
        self._token_file = token_file
        self._url_template = url_template
        # A Service that was made anew has another address: the cluster's DNS caches long enough for both of us.
        connector = aiohttp.TCPConnector(use_dns_cache=False)
        headers = {"User-Agent": user_agent, "Accept": "application/json"}
        self.session = aiohttp.ClientSession(connector=connector, headers=headers)

    async def close(self) -> None:
        """Close all connections."""
        await self.session.close()

    def base(self, component: Component, namespace: str, studio: str) -> str:
        """Where a service of a Studio is."""
        return self._url_template.format(studio=studio, component=component.value, namespace=namespace)

    async def call(
        self,
        call: str,
        component: Component,
        method: str,
        url: str,
        *,
        seconds: float = REQUEST_SECONDS,
        at_most: int | None = None,
        **request: Any,
    ) -> bytes:
        """The body of the answer, of `at_most` so many bytes."""
        headers = {**request.pop("headers", {}), **self.authorization()}
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        started, code = time.monotonic(), "0"
        try:
            async with self.session.request(method, url, timeout=timeout, headers=headers, **request) as response:
                code = str(response.status)
                await raise_for_status(response)
                return await _read(response, at_most)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"the {component.value} does not answer: {words(error)}") from error
        finally:
            metrics.MODEL_SERVICE_REQUESTS.labels(component.value, call, code).inc()
            metrics.MODEL_SERVICE_SECONDS.labels(component.value, call).observe(time.monotonic() - started)

    def authorization(self) -> dict[str, str]:
        """The header with the token, if there is one to send."""
        if self._token_file is None:
            return {}
        try:
            token = self._token_file.read_text().strip()
        except OSError as error:
            raise Unreachable(f"the operator's token for the model service cannot be read: {error}") from error
        return {"Authorization": f"Bearer {token}"}


async def _read(response: aiohttp.ClientResponse, at_most: int | None) -> bytes:
    if at_most is None:
        return await response.read()
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > at_most:
            raise Refused(response.status, f"the answer has more than {at_most} bytes")
    return bytes(data)


async def raise_for_status(response: aiohttp.ClientResponse) -> None:
    """5xx means that the service or its database is not there, which passes; 4xx is a refusal."""
    if response.status < 400:  # noqa: PLR2004
        return
    detail = f"{response.status} {response.reason}"
    with suppress(ValueError, aiohttp.ClientError):
        problem = json.loads(await response.read())
        if isinstance(problem, dict):
            detail = str(problem.get("detail") or problem.get("title") or detail)
    if response.status >= 500:  # noqa: PLR2004
        raise Unreachable(f"the service is not able to answer: {detail}")
    raise Refused(response.status, detail)


def words(error: Exception) -> str:
    """An error that may have no words."""
    return str(error) or type(error).__name__
