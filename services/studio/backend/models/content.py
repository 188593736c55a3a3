"""Content of assistants: drafts and what was published."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from studio.backend.models.common import LongText, Model, Request


class DraftFile(Model):
    """A file of the draft."""

    path: str
    size: int
    updated_at: datetime
    updated_by: str


class Draft(Model):
    """What is being edited."""

    files: list[DraftFile]
    changed: bool = Field(description="whether it differs from what was published last")


class Revision(Model):
    """What was published once; it never changes."""

    revision: int
    sha256: str = Field(description="digest of the files and their names")
    published_at: datetime
    published_by: str
    message: str


class ContentState(Model):
    """Draft and publication of an assistant."""

    draft: Draft
    published: Revision | None


class Publication(Request):
    """Why something is published."""

    message: Annotated[LongText, StringConstraints(max_length=1000)] = ""


class Published(Model):
    """What a publication has made."""

    revision: int
    sha256: str


class DraftPaths(Model):
    """The files of a draft after an import, and what of the archive is not content."""

    files: list[str]
    left_out: list[str]


class PublishedContent(Model):
    """The files of a revision, for the operator."""

    revision: int
    files: dict[str, str]
