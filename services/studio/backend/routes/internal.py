"""What the operator asks: the content that was published."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from studio.auth.verification import Identity
from studio.backend.access import operator_only
from studio.backend.models.common import Number
from studio.backend.models.content import PublishedContent
from studio.backend.routes import parameters
from studio.backend.services import Services

Operator = Annotated[Identity, Depends(operator_only)]


def routes(services: Services) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/internal/v1", tags=["internal"])

    @router.get("/assistants/{name}/content")
    async def get_published(
        _: Operator, name: parameters.Assistant, revision: Annotated[Number | None, Query()] = None
    ) -> PublishedContent:
        """The files of a revision, the newest without a number."""
        subject = await services.assistants.subject(name)
        return await services.publications.revision(subject, revision)

    return router
