"""A FastAPI app with what every server of ours has; the caller includes its routers."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from studio.contract.model_service import Problem
from studio.http.health import Health
from studio.http.limits import Limits
from studio.http.measured import Measured
from studio.http.problems import PROBLEMS, Meanings, answer_errors
from studio.http.request_ids import RequestIds


def create_app(
    *,
    title: str,
    version: str,
    health: Health,
    limit: Callable[[str], int],
    meanings: Meanings,
    openapi_url: str = "/openapi.json",
) -> FastAPI:
    """Probes, metrics, request ids, limits on bodies, and problems for all errors.

    `limit` gives the bytes that a path takes, `meanings` what errors of the app's dependencies are answered with.
    `app.state.closing` is set when the process begins to stop: open streams end then.
    """
    app = FastAPI(
        title=title,
        version=version,
        docs_url=None,
        redoc_url=None,
        openapi_url=openapi_url,
        responses=PROBLEMS,
        redirect_slashes=False,
    )
    app.state.closing = asyncio.Event()
    # The last one added is the first to see a request.
    app.add_middleware(Limits, limit=limit)
    app.add_middleware(Measured)
    app.add_middleware(RequestIds)
    answer_errors(app, meanings)
    _describe_problems(app)
    _probes(app, health)
    return app


def _probes(app: FastAPI, health: Health) -> None:
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


def _describe_problems(app: FastAPI) -> None:
    """Describe problems as what they are: FastAPI would write down a 422 of its own shape for every route."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = describe()
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
            schemas.update(problem.pop("$defs", {}))
            schemas["Problem"] = problem
            for path in schema.get("paths", {}).values():
                for operation in path.values():
                    _drop_validation_answer(operation)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _drop_validation_answer(operation: Any) -> None:
    if isinstance(operation, Mapping):
        operation.get("responses", {}).pop("422", None)
