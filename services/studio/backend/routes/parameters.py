"""Parameters that recur in routes."""

from typing import Annotated

from fastapi import Header, Path, Query

from studio.backend.access import Caller
from studio.backend.models.common import AssistantName, Id
from studio.contract.model_service import ModelTag

Assistant = Annotated[AssistantName, Path(description="Name of an assistant")]
TrainingId = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]*$", max_length=80, description="Id of a training")]
RunId = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]*$", max_length=80, description="Id of a run")]
Version = Annotated[str, Path(pattern=r"^(latest|[1-9][0-9]{0,8})$", description="`latest` or the number of a model")]
ModelTagName = Annotated[ModelTag, Path(description="A tag of a model")]
ConversationId = Annotated[Id, Path(description="Number of a conversation")]
FilePath = Annotated[str, Path(max_length=250, description="Path of a file, such as data/nlu.yml")]
Limit = Annotated[int, Query(ge=1, le=200, description="Items on a page")]
Cursor = Annotated[str | None, Query(max_length=400, description="`next_cursor` of the page before")]
IfMatch = Annotated[str | None, Header(max_length=1000, description="ETag that the file must still have")]
LastEventId = Annotated[
    str | None, Header(max_length=64, pattern=r"^[0-9.]+$", description="Id of the last event that has been seen")
]


def assistants_of(caller: Caller, assistant: str | None) -> list[str] | None:
    """The assistants that a list is about: none at all for one that the caller does not see, None for all."""
    if assistant is not None:
        return [assistant] if caller.scope.sees(assistant) else []
    return None if caller.scope.assistants is None else sorted(caller.scope.assistants)
