"""Types that recur in the API."""

from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from studio.contract import names

Item = TypeVar("Item")

LARGEST_ID = 2**63 - 1
LARGEST_NUMBER = 2**31 - 1

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


class Model(BaseModel):
    """Base of everything that the API gives."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class Request(BaseModel):
    """Base of everything that the API takes: unknown fields are refused, because they would be mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Page(Model, Generic[Item]):
    """A part of a list; `next_cursor` asks for what follows, null: nothing does."""

    items: list[Item]
    next_cursor: str | None = None


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the character U+0000")
    return text


def _of_our_time(moment: datetime) -> datetime:
    if not EARLIEST <= moment <= LATEST:
        raise ValueError(f"must lie between {EARLIEST:%Y} and {LATEST:%Y}")
    return moment.astimezone(UTC)


# PostgreSQL stores no null characters.
Line = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_no_nul)]
LongText = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_no_nul)]
Moment = Annotated[AwareDatetime, AfterValidator(_of_our_time)]
AssistantName = Annotated[str, StringConstraints(pattern=names.NAME_PATTERN, max_length=names.NAME_MAX)]
Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Number = Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]
