"""The back end's app: routers, limits, and what the errors of its dependencies mean."""

from fastapi import APIRouter, FastAPI
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from studio.auth.keys import KeysUnavailable
from studio.backend.access import Access
from studio.backend.content.archives import ARCHIVE_BYTES
from studio.backend.content.rules import FILE_BYTES
from studio.backend.routes import (
    assistants,
    chat,
    content,
    conversations,
    internal,
    models,
    runs,
    system,
    trainings,
)
from studio.backend.services import Services
from studio.db.engine import passes_by_itself
from studio.http.app import create_app
from studio.http.health import Health
from studio.http.limits import KIB
from studio.http.problems import Meaning, Refused
from studio.kube import Forbidden, KubeError
from studio.storage.port import StorageError

PREFIX = "/api/v1"
MESSAGE_BYTES = 64 * KIB
_CANCELED = "57014"
_DATA_ERRORS = "22"


def build_app(services: Services, access: Access, health: Health) -> FastAPI:
    """The app, with all routes."""
    app = create_app(
        title="Studio",
        version=services.process.version,
        health=health,
        limit=_limit,
        meanings=MEANINGS,
        openapi_url=f"{PREFIX}/openapi.json",
    )
    app.state.access = access
    api = APIRouter(prefix=PREFIX)
    api.include_router(system.public_routes(services))
    for resource in (system, assistants, content, trainings, runs, models, chat, conversations):
        api.include_router(resource.routes(services))
    app.include_router(api)
    app.include_router(internal.routes(services), include_in_schema=False)
    return app


def _limit(path: str) -> int:
    if path.endswith("/content/archive"):
        return ARCHIVE_BYTES
    return FILE_BYTES if "/content/files/" in path else MESSAGE_BYTES


def _away(error: Exception) -> Refused:
    return Refused(503, f"{error}: try again")


def _nobody_known(_: Exception) -> Refused:
    """Whoever asks is not known yet, so they are not told where the keys are looked for; the log says it."""
    return Refused(503, "nobody can be told from anybody now, because the issuer's keys cannot be had: try again")


def _cluster(error: Exception) -> Refused:
    if isinstance(error, Forbidden):
        return Refused(503, f"the cluster does not let the back end do this: {error.message}")
    return Refused(503, f"the cluster does not do this now: {error}; try again")


def _database(error: Exception) -> Refused | None:
    if passes_by_itself(error):
        return Refused(503, "the database does not answer: try again")
    code = str(getattr(getattr(error, "orig", None), "sqlstate", ""))
    if code == _CANCELED:
        return Refused(503, "the database takes too long for this: narrow the request")
    if code.startswith(_DATA_ERRORS):
        return Refused(422, "the database cannot hold a value of the request: it is too large or of the wrong form")
    return None


MEANINGS: dict[type[Exception], Meaning] = {
    KubeError: _cluster,
    StorageError: _away,
    KeysUnavailable: _nobody_known,
    DBAPIError: _database,
    PoolTimeoutError: _database,
    OSError: _database,
}
