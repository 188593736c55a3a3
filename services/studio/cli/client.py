"""The back end's HTTP API: bearer token, time-outs, retries, problems as errors, pages, files and live streams."""

import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx2

from studio.cli import sse
from studio.cli.credentials import Credentials
from studio.cli.errors import CliError, NotSignedIn, Refused, Unreachable, UsageError

TIMEOUT = httpx2.Timeout(30.0, connect=10.0)
# A model or an archive may take its time, as long as bytes flow.
TRANSFER_TIMEOUT = httpx2.Timeout(60.0, connect=10.0)
STREAM_TIMEOUT = httpx2.Timeout(TIMEOUT.connect, read=sse.SILENCE_SECONDS)
TRIES = 5
PAGE = 100
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_TRANSIENT = frozenset({502, 503, 504})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.3, 8.0
_UNAUTHORISED = 401
_ERROR = 400
_NO_CONTENT = 204

Trace = Callable[[str], None]


def url_path(*segments: str) -> str:
    """A path below the API from names. Raises UsageError for a name that would lead elsewhere."""
    for segment in segments:
        if segment in ("", ".", ".."):
            raise UsageError(f"{segment!r} is not a name")
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


@dataclass(frozen=True)
class _Call:
    """A request that may be sent several times, under one id."""

    method: str
    url: str
    stream: bool
    arguments: Mapping[str, Any]
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def idempotent(self) -> bool:
        return self.method in _IDEMPOTENT


class Api:
    """Requests to one back end on behalf of one person or program."""

    def __init__(
        self,
        http: httpx2.Client,
        url: str,
        credentials: Credentials | None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        trace: Trace = lambda _line: None,
    ) -> None:
        """Sends nothing yet. `url` is the Studio's public origin; `trace` is told of every request, without tokens."""
        self._http = http
        self._base = f"{url}/api/v1"
        self._credentials = credentials
        self._sleep = sleep
        self._trace = trace

    def get(self, path: str, **params: Any) -> Any:
        """GET an object. Raises CliError, as every method here does."""
        return self._json(self._send("GET", path, params=_present(params)))

    def pages(self, path: str, *, most: int | None = None, **params: Any) -> Iterator[Any]:
        """All items of a list, page after page, at most `most`."""
        cursor: str | None = None
        given = 0
        while most is None or given < most:
            limit = PAGE if most is None else min(PAGE, most - given)
            page = self.get(path, limit=limit, cursor=cursor, **params)
            yield from page["items"]
            given += len(page["items"])
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def post(self, path: str, body: Any = None, *, timeout: httpx2.Timeout = TIMEOUT) -> Any:
        """POST an object; the answer's object, or None."""
        return self._json(self._send("POST", path, json=body if body is not None else {}, timeout=timeout))

    def put(self, path: str, content: bytes = b"", content_type: str = "application/octet-stream") -> Any:
        """PUT bytes; the answer's object, or None."""
        headers = {"Content-Type": content_type}
        return self._json(self._send("PUT", path, content=content, headers=headers, timeout=TRANSFER_TIMEOUT))

    def delete(self, path: str) -> None:
        """DELETE."""
        self._send("DELETE", path)

    @contextmanager
    def download(self, path: str, **params: Any) -> Iterator[httpx2.Response]:
        """GET a file; the answer's body is read by the caller, piece by piece."""
        try:
            with self._stream(path, {}, TRANSFER_TIMEOUT, _present(params)) as response:
                yield response
        except httpx2.TransportError as error:
            raise _no_answer(self._base, error) from error

    def events(self, path: str) -> Iterator[sse.Event]:
        """The events of a live stream; see `sse.events`."""

        def open_stream(last_id: str | None) -> Any:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
            return self._stream(path, headers, STREAM_TIMEOUT, {})

        return sse.events(open_stream, sleep=self._sleep)

    def tail(self, path: str, silence: float) -> Iterator[sse.Event]:
        """What a live stream has by now: it ends where nothing comes for `silence` seconds."""
        timeout = httpx2.Timeout(TIMEOUT.connect, read=silence)
        try:
            with self._stream(path, {"Accept": "text/event-stream"}, timeout, {}) as response:
                for event in httpx2.EventSource(response):
                    yield sse.Event(event.event, event.data, event.id)
        except httpx2.ReadTimeout:
            return
        except httpx2.TransportError as error:
            raise _no_answer(self._base, error) from error

    @contextmanager
    def _stream(
        self, path: str, headers: Mapping[str, str], timeout: httpx2.Timeout, params: Mapping[str, Any]
    ) -> Iterator[httpx2.Response]:
        response = self._send("GET", path, headers=headers, params=params, timeout=timeout, stream=True)
        try:
            yield response
        finally:
            response.close()

    def _send(self, method: str, path: str, *, stream: bool = False, **arguments: Any) -> httpx2.Response:
        token = self._credentials.token() if self._credentials else None
        call = _Call(method, self._base + path, stream, arguments)
        response = self._attempts(call, token)
        if response.status_code == _UNAUTHORISED and self._credentials and token:
            renewed = self._credentials.renew(token)
            response = self._attempts(call, renewed) if renewed else response
        if response.status_code >= _ERROR:
            raise problem_of(response, signed_in=token is not None)
        if response.is_redirect:
            raise Unreachable(
                "This address leads elsewhere",
                f"{method} {response.url} is answered with a redirect to {response.headers.get('location')}.",
                remedy="Set that address: `studio config set-url URL`.",
            )
        return response

    def _attempts(self, call: "_Call", token: str | None) -> httpx2.Response:
        """One answer, whatever it says; what is safe to repeat is repeated. Raises Unreachable without an answer."""
        for attempt in range(1, TRIES + 1):
            again = attempt < TRIES
            pause = 0.0
            try:
                response = self._once(call, token)
            except httpx2.TransportError as error:
                self._trace(f"{call.method} {call.url} failed: {error or type(error).__name__}")
                never_sent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
                if not (again and (never_sent or call.idempotent)):
                    raise _no_answer(self._base, error) from error
            else:
                if not (again and call.idempotent and response.status_code in _TRANSIENT):
                    return response
                pause = _retry_after(response)
            ceiling = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)
            self._sleep(max(pause, random.uniform(ceiling / 2, ceiling)))  # noqa: S311 (jitter)
        raise AssertionError("the last attempt returns or raises")

    def _once(self, call: "_Call", token: str | None) -> httpx2.Response:
        arguments = {"timeout": TIMEOUT, **call.arguments}
        headers = {"X-Request-Id": call.id, "Accept": "application/json", **(arguments.pop("headers", None) or {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = self._http.build_request(call.method, call.url, headers=headers, **arguments)
        began = time.monotonic()
        response = self._http.send(request, stream=call.stream)
        took = (time.monotonic() - began) * 1000
        self._trace(f"{call.method} {request.url} {response.status_code} {took:.0f} ms, request id {call.id}")
        if response.status_code >= _ERROR:
            response.read()
        return response

    def _json(self, response: httpx2.Response) -> Any:
        if response.status_code == _NO_CONTENT or not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            raise Unreachable(
                "This address is not a Studio's",
                f"{response.url} answers {response.headers.get('content-type', 'something')!r} instead of JSON.",
                remedy="Check it with `studio config show`.",
            ) from error


def problem_of(response: httpx2.Response, *, signed_in: bool) -> CliError:
    """The error that an answer of 400 and above means (RFC 9457)."""
    status = response.status_code
    try:
        body = response.json()
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    title = str(body.get("title") or f"HTTP {status}")
    detail = str(body.get("detail") or "")
    request_id = str(body.get("request_id") or _request_id(response))
    if status == _UNAUTHORISED:
        return NotSignedIn(
            "The sign-in is not accepted" if signed_in else "Not signed in", detail, request_id=request_id
        )
    if status in _TRANSIENT:
        return Unreachable(title, detail or "The Studio is not ready to answer.", request_id=request_id)
    errors = body.get("errors")
    fields = [
        (str(error.get("field", "")), str(error.get("message", "")))
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, dict)
    ]
    refused = Refused(title, detail, fields, str(body.get("remedy") or ""), request_id)
    refused.status = status
    return refused


def _present(params: Mapping[str, Any]) -> dict[str, Any]:
    written = {True: "true", False: "false"}
    return {
        name: written[value] if isinstance(value, bool) else value
        for name, value in params.items()
        if value is not None
    }


def _request_id(response: httpx2.Response) -> str:
    return response.headers.get("x-request-id", "") or response.request.headers.get("x-request-id", "")


def _retry_after(response: httpx2.Response) -> float:
    try:
        return min(max(float(response.headers.get("retry-after", 0)), 0.0), _LONGEST_PAUSE)
    except ValueError:
        return 0.0


def _no_answer(base: str, error: httpx2.TransportError) -> Unreachable:
    return Unreachable(
        "The Studio does not answer",
        f"{base}: {error or type(error).__name__}.",
        remedy="Check the address with `studio config show`, and that the Studio runs.",
    )
