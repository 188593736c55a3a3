"""What both orchestrators' servers have in common: problems, authentication, limits, health, metrics, the server."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import FrameType
from typing import Annotated, Any

import asyncpg
import structlog
import uvicorn
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.auth.keys import KeysUnavailable
from studio.auth.roles import Role, Roles
from studio.auth.verification import Identity, InvalidToken, Verifier
from studio.contract.model_service import Change, Problem
from studio.db.retry import is_transient
from studio.model_service.orchestrators.changes import ChangeStream
from studio.storage.port import StorageError

log = structlog.get_logger(__name__)

KIB, MIB = 1024, 1024 * 1024
CONTENT_LIMIT = 16 * MIB
LOG_LIMIT = 16 * MIB
MESSAGE_LIMIT = 512 * KIB
HEARTBEAT_SECONDS = 10.0
READY_CACHE_SECONDS = 3.0
UNREADY_CACHE_SECONDS = 0.5
STUCK_SECONDS = 60.0
GRACE_SECONDS = 5

REQUESTS = Counter("studio_http_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram("studio_http_request_seconds", "Duration of requests.", ["method", "route"])

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {"model": Problem, "content": {"application/problem+json": {}}, "description": "What went wrong"}
}


class Refused(Exception):
    """A request that cannot be granted; `detail` names the field and the remedy."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


# The last one alone would do, but what is left to it is raised again after the answer: the server would log a traceback
# for every request while the database restarts.
ANSWERED: tuple[type[Exception], ...] = (
    Refused, HTTPException, RequestValidationError, StorageError, KeysUnavailable,
    asyncpg.PostgresError, asyncpg.InterfaceError, OSError, Exception,
)  # fmt: skip


@dataclass
class Health:
    """Whether the process works (`alive`) and whether it can serve (`ready`)."""

    pool: asyncpg.Pool
    check: Callable[[], Awaitable[None]]
    clock: Callable[[], float] = time.monotonic
    _busy_since: float | None = field(default=None, init=False)
    _checked_at: float = field(default=float("-inf"), init=False)
    _problem: str | None = field(default=None, init=False)

    def alive(self) -> str | None:
        """What is broken for good: connections that never come back to the pool. None: nothing."""
        busy = self.pool.get_idle_size() == 0 and self.pool.get_size() == self.pool.get_max_size()
        if not busy:
            self._busy_since = None
            return None
        self._busy_since = self._busy_since if self._busy_since is not None else self.clock()
        stuck = self.clock() - self._busy_since > STUCK_SECONDS
        return f"no database connection was free for {STUCK_SECONDS:.0f} s" if stuck else None

    async def ready(self) -> str | None:
        """Why requests cannot be served now; None: they can. Asks the dependencies every 3 s, sooner if one failed."""
        valid = READY_CACHE_SECONDS if self._problem is None else UNREADY_CACHE_SECONDS
        if self.clock() - self._checked_at > valid:
            self._checked_at = self.clock()
            try:
                async with asyncio.timeout(5):
                    await self.check()
                self._problem = None
            except Exception as error:  # noqa: BLE001 (any failure of a dependency means not ready)
                self._problem = f"{type(error).__name__}: {error}"
        return self._problem


@dataclass(frozen=True)
class Access:
    """Authentication and the roles of one orchestrator."""

    verifier: Verifier
    roles: Roles

    async def identify(self, request: Request) -> Identity:
        """Who sends the request; Refused with 401 if that is not proven."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(401, "the header Authorization is missing: send `Bearer <service-account token>`")
        try:
            return await self.verifier.verify(token.strip())
        except InvalidToken as error:
            raise Refused(401, f"the bearer token is not accepted: {error}") from error

    async def demand(self, request: Request, *roles: Role) -> Identity:
        """The sender, who must have one of the roles; Refused with 401 or 403."""
        identity = await self.identify(request)
        if self.roles.role(identity) not in roles:
            raise Refused(403, f"{identity.subject} may not do this: it takes the role {' or '.join(roles)}")
        return identity

    async def demand_attempt(self, request: Request, item_id: str, attempt: int) -> Identity:
        """The sender, which must be a pod of that attempt's Job; Refused with 401 or 403."""
        identity = await self.demand(request, Role.HELPER)
        if not self.roles.may_help(identity, item_id, attempt):
            raise Refused(403, f"the pod {identity.pod} does not belong to attempt {attempt} of {item_id}")
        return identity


def access_of(request: Request) -> Access:
    """The Access of the app that serves the request."""
    access: Access = request.app.state.access
    return access


async def operator_only(request: Request) -> Identity:
    """Dependency: the operator."""
    return await access_of(request).demand(request, Role.OPERATOR)


async def consumer_only(request: Request) -> Identity:
    """Dependency: a consumer."""
    return await access_of(request).demand(request, Role.CONSUMER)


async def own_attempt(request: Request, id: str, attempt: int) -> Identity:  # noqa: A002
    """Dependency: the helper of the attempt in the path."""
    return await access_of(request).demand_attempt(request, id, attempt)


Operator = Annotated[Identity, Depends(operator_only)]
Consumer = Annotated[Identity, Depends(consumer_only)]
Helper = Annotated[Identity, Depends(own_attempt)]


def create_app(*, title: str, version: str, access: Access, health: Health) -> FastAPI:
    """An app with health, metrics, problems and limits; the caller includes its routers."""
    app = FastAPI(title=title, version=version, docs_url=None, redoc_url=None, responses=PROBLEMS)
    app.state.access = access
    app.state.closing = asyncio.Event()
    app.add_middleware(Limits)
    app.add_middleware(Measured)
    for error in ANSWERED:
        app.add_exception_handler(error, _answer)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        problem = health.alive()
        return PlainTextResponse(problem or "ok", status_code=503 if problem else 200)

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        problem = await health.ready()
        return PlainTextResponse(problem or "ok", status_code=503 if problem else 200)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


def problem(status: int, detail: str) -> JSONResponse:
    """An error answer (RFC 9457)."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "2"
    return JSONResponse(body.model_dump(), status, headers, media_type="application/problem+json")


async def _answer(request: Request, error: Exception) -> Response:
    match error:
        case Refused():
            return problem(error.status, error.detail)
        case HTTPException():
            return problem(error.status_code, str(error.detail))
        case RequestValidationError():
            return problem(422, "; ".join(_field(found) for found in error.errors()))
        case StorageError() | KeysUnavailable():
            log.warning("a dependency failed", path=request.url.path, error=str(error))
            return problem(503, str(error))
    if is_transient(error):
        log.warning("the database is away", path=request.url.path, error=str(error))
        return problem(503, "the database does not answer: try again")
    log.error("a request failed", path=request.url.path, exc_info=error)
    return problem(500, "an unexpected error: see the log of the orchestrator")


def _field(error: Any) -> str:
    return f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"


class Limits:
    """Refuses bodies that are larger than their route takes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what is received."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = _limit(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await problem(413, f"the body is larger than {limit} bytes: send less")(scope, receive, send)
            return
        received = 0

        async def counted() -> Any:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, f"the body is larger than {limit} bytes: send less")
            return message

        await self._app(scope, counted, send)


def _limit(path: str) -> int:
    if "/content/" in path:
        return CONTENT_LIMIT
    return LOG_LIMIT if path.endswith("/log") else MESSAGE_LIMIT


class Measured:
    """Counts and times requests by route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        status = 500

        async def watched(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            REQUESTS.labels(scope["method"], route, str(status)).inc()
            SECONDS.labels(scope["method"], route).observe(time.monotonic() - began)


def change_events(changes: ChangeStream, closing: asyncio.Event, *, heartbeat: float = HEARTBEAT_SECONDS) -> Response:
    """The change stream as server-sent events; ends when the process does."""

    async def events() -> AsyncIterator[str]:
        with changes.subscribe() as subscription:
            yield ": connected\n\n"
            while not closing.is_set():
                names = await subscription.wait(heartbeat, closing)
                for name in names:
                    yield f"data: {Change(assistant=name).model_dump_json()}\n\n"
                if not names:
                    yield ": heartbeat\n\n"

    return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


class Server(uvicorn.Server):
    """uvicorn that tells the app's open streams to end when a signal asks it to stop."""

    def __init__(self, app: FastAPI, *, port: int, host: str = "0.0.0.0") -> None:  # noqa: S104 (a pod's own network)
        super().__init__(
            uvicorn.Config(
                app, host=host, port=port, log_config=None, access_log=False, server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS, timeout_keep_alive=65, limit_concurrency=512,
            )
        )  # fmt: skip
        self._closing: asyncio.Event = app.state.closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; asked twice, at once. The exit code is 0, where uvicorn would raise the signal again."""
        del frame
        log.info("stopping", signal=signal.Signals(sig).name)
        self.force_exit = self.should_exit
        self.end()

    def end(self) -> None:
        """Ask the server to stop, from within the process."""
        self._closing.set()
        self.should_exit = True
