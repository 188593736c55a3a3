"""The orchestrators' HTTP API as consumers and helpers use it: projected token, time-outs, retries, messages."""

import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import structlog
from prometheus_client import Counter
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay, wait_random_exponential

from studio.contract.model_service import Message

log = structlog.get_logger(__name__)

REQUESTS = Counter("studio_orchestrator_requests_total", "Requests to an orchestrator by outcome.", ["method", "code"])
_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10, sock_read=30)
# 401 as well: the kubelet may be late with a new token, the orchestrator with a new key.
_TRANSIENT = frozenset({401, 408, 425, 429})
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
# A stream says that it is alive every ten seconds.
_STREAM_SILENCE = 45.0
_LONGEST_PAUSE = 15.0
M = TypeVar("M", bound=Message)
Query = Mapping[str, str] | Sequence[tuple[str, str]]


class OrchestratorError(Exception):
    """The orchestrator did not do what it was asked."""


class Refused(OrchestratorError):
    """It said no, and will say so again: HTTP `status` and the detail of its Problem."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"the orchestrator refused ({status}): {detail}")
        self.status = status
        self.detail = detail


class Unavailable(OrchestratorError):
    """It gave no usable answer for as long as patience lasted."""


class OrchestratorClient:
    """One orchestrator. Every call is repeated with back-off and jitter for at most `patience` seconds.

    The token is read from its file for every request, because the kubelet replaces it.
    """

    def __init__(self, url: str, token_file: Path, *, patience: float) -> None:
        """Sends nothing yet; `url` as http://host:port."""
        self._url = url.rstrip("/")
        self._token_file = token_file
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, path: str, answer: type[M], body: Message | None = None) -> M:
        """POST a message and read the answer's. Raises Refused, Unavailable."""
        content = await self._request("POST", path, json_body=body.model_dump(mode="json") if body else {})
        return answer.model_validate_json(content)

    async def send(self, path: str, body: Message) -> None:
        """POST a message whose answer does not matter. Raises Refused, Unavailable."""
        await self._request("POST", path, json_body=body.model_dump(mode="json"))

    async def get(self, path: str, query: Query | None = None) -> bytes:
        """GET; the answer as it came. Raises Refused, Unavailable."""
        return await self._request("GET", path, query=query)

    async def post_json(self, path: str, body: Any) -> bytes:
        """POST JSON; the answer as it came. Raises Refused, Unavailable."""
        return await self._request("POST", path, json_body=body)

    async def put(self, path: str, query: Query | None = None) -> bytes:
        """PUT without a body; the answer as it came. Raises Refused, Unavailable."""
        return await self._request("PUT", path, json_body={}, query=query)

    async def delete(self, path: str, query: Query | None = None) -> bytes:
        """DELETE; the answer as it came. Raises Refused, Unavailable."""
        return await self._request("DELETE", path, json_body={}, query=query)

    @asynccontextmanager
    async def stream(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
        """GET an answer without an end, in the pieces in which it comes. Not repeated. Raises Refused, Unavailable."""
        timeout = aiohttp.ClientTimeout(total=None, connect=10, sock_read=_STREAM_SILENCE)
        sent = {"Authorization": f"Bearer {self._token()}", **headers}
        code = "0"
        try:
            async with self._opened().get(self._url + path, headers=sent, timeout=timeout) as response:
                code = str(response.status)
                _check("GET", path, response.status, b"" if response.ok else await response.read())
                yield response.content.iter_any()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"GET {path}: {error!r}") from error
        finally:
            REQUESTS.labels("GET", code).inc()

    async def put_text(self, path: str, text: str) -> None:
        """PUT a text. Raises Refused, Unavailable."""
        await self._request("PUT", path, text=text)

    async def _request(
        self, method: str, path: str, *, json_body: Any = None, text: str | None = None, query: Query | None = None
    ) -> bytes:
        def tell(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            log.warning("orchestrator not available, trying again", path=path, error=str(error))

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_random_exponential(multiplier=0.5, max=_LONGEST_PAUSE),
            stop=stop_after_delay(self._patience),
            before_sleep=tell,
            reraise=True,
        )
        content: bytes = await retrying(self._request_once, method, path, json_body, text, query)
        return content

    async def _request_once(
        self, method: str, path: str, json_body: Any, text: str | None, query: Query | None
    ) -> bytes:
        data = text.encode() if text is not None else json.dumps(json_body).encode()
        content_type = "text/plain; charset=utf-8" if text is not None else "application/json"
        code = "0"
        try:
            headers = {"Authorization": f"Bearer {self._token()}", "Content-Type": content_type}
            # Sent in pieces: a whole log at once would hold up the event loop.
            body = None if method == "GET" else io.BytesIO(data)
            session = self._opened()
            async with session.request(method, self._url + path, data=body, headers=headers, params=query) as response:
                code = str(response.status)
                content = await response.read()
                _check(method, path, response.status, content)
                return content
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"{method} {path}: {error!r}") from error
        finally:
            REQUESTS.labels(method, code).inc()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the client is used outside of its context")
        return self._session

    def _token(self) -> str:
        return self._token_file.read_text(encoding="utf-8").strip()


def _check(method: str, path: str, status: int, content: bytes) -> None:
    if status >= _SERVER_ERROR or status in _TRANSIENT:
        raise Unavailable(f"{method} {path}: {status} {_detail(content)}")
    if status >= _CLIENT_ERROR:
        raise Refused(status, _detail(content))


def _detail(content: bytes) -> str:
    try:
        problem = json.loads(content)
        return str(problem.get("detail") or problem.get("title") or "")
    except (ValueError, AttributeError):
        return content[:200].decode(errors="replace")
