"""What the back end asks of the orchestrators, and what their answers mean to people."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import TypeAdapter

from studio.backend.models.trainings import Run, TrainedModel, Training, Transition
from studio.contract.model_service import CacheHit, ModelView
from studio.http.problems import Refused
from studio.model_service.orchestrator_client import OrchestratorClient, OrchestratorError
from studio.model_service.orchestrator_client import Refused as OrchestratorRefused

Answer = TypeVar("Answer")

# What an orchestrator refuses with these is about the request of the person; anything else is about us.
_PASSED_ON = frozenset({404, 409, 422})
_TRAININGS = TypeAdapter(list[Training])
_RUN = TypeAdapter(Run)
_RUNS = TypeAdapter(list[Run])
_MODELS = TypeAdapter(list[ModelView])
_TRAINING = TypeAdapter(Training)
_REQUESTED: TypeAdapter[Training | CacheHit] = TypeAdapter(Training | CacheHit)
_TRANSITIONS = TypeAdapter(list[Transition])

Place = tuple[datetime, str]
Log = AbstractAsyncContextManager[AsyncIterator[bytes]]


def refusal(error: OrchestratorError) -> Refused:
    """The answer to a person whose request an orchestrator did not do."""
    if isinstance(error, OrchestratorRefused) and error.status in _PASSED_ON:
        return Refused(error.status, error.detail)
    return Refused(503, f"the model service cannot do this now: {error}")


class ModelService:
    """Both orchestrators. Methods raise Refused."""

    def __init__(self, training: OrchestratorClient, running: OrchestratorClient) -> None:
        self._training = training
        self._running = running

    async def trainings(
        self, *, assistants: Sequence[str] | None, state: str | None, limit: int, before: Place | None
    ) -> list[Training]:
        """Trainings of some assistants (None: all), newest first, those before a place."""
        return await self._get(self._training, "/v1/trainings", _TRAININGS, _query(assistants, state, limit, before))

    async def runs(
        self, *, assistants: Sequence[str] | None, limit: int, before: Place | None = None, state: str | None = None
    ) -> list[Run]:
        """The same of runs."""
        return await self._get(self._running, "/v1/runs", _RUNS, _query(assistants, state, limit, before))

    async def run(self, id: str) -> Run:  # noqa: A002
        """One run."""
        return await self._get(self._running, f"/v1/runs/{id}", _RUN)

    async def training(self, id: str) -> Training:  # noqa: A002
        """One training."""
        return await self._get(self._training, f"/v1/trainings/{id}", _TRAINING)

    async def request_training(self, assistant: str, who: str) -> Training | CacheHit:
        """Train what an assistant wants, by hand."""
        return await self._post("/v1/trainings", _REQUESTED, {"assistant": assistant, "who": who})

    async def retry_training(self, id: str, who: str) -> Training | CacheHit:  # noqa: A002
        """Train the content of a training that has ended once more."""
        return await self._post(f"/v1/trainings/{id}/retry", _REQUESTED, {"who": who})

    async def cancel_training(self, id: str, who: str) -> Training:  # noqa: A002
        """End a training."""
        return await self._post(f"/v1/trainings/{id}/cancel", _TRAINING, {"who": who})

    async def prioritise_training(self, id: str, priority: int, who: str) -> Training:  # noqa: A002
        """Move a training that waits."""
        return await self._post(f"/v1/trainings/{id}/priority", _TRAINING, {"priority": priority, "who": who})

    async def training_transitions(self, id: str) -> list[Transition]:  # noqa: A002
        """All that became of a training, the oldest first."""
        return await self._get(self._training, f"/v1/trainings/{id}/transitions", _TRANSITIONS)

    async def run_transitions(self, id: str) -> list[Transition]:  # noqa: A002
        """All that became of a run, the oldest first."""
        return await self._get(self._running, f"/v1/runs/{id}/transitions", _TRANSITIONS)

    async def start_run(self, assistant: str, who: str) -> Run:
        """Run what an assistant wants to run, by hand."""
        return await self._post(f"/v1/assistants/{assistant}/run/start", _RUN, {"who": who}, client=self._running)

    async def stop_run(self, assistant: str, who: str) -> Run:
        """End what runs of an assistant."""
        return await self._post(f"/v1/assistants/{assistant}/run/stop", _RUN, {"who": who}, client=self._running)

    async def models(self, assistant: str) -> list[TrainedModel]:
        """The models of an assistant that exists, newest first, and which one answers."""
        try:
            found = await self._get(self._training, "/v1/models", _MODELS, {"assistant": assistant})
        except Refused as refused:
            if refused.status == HTTPStatus.NOT_FOUND:
                return []  # the operator has told the orchestrator nothing of it yet
            raise
        runs = await self.runs(assistants=[assistant], limit=50)
        serving = next((run.model_version for run in runs if run.serving), None)
        return [TrainedModel(**model.model_dump(), active=model.version == serving) for model in found]

    async def tag_model(self, assistant: str, version: str, tag: str) -> None:
        """Tag a model of an assistant."""
        with _as_refusals():
            await self._training.put(_tag(version, tag), {"assistant": assistant})

    async def untag_model(self, assistant: str, version: str, tag: str) -> None:
        """Take a tag away."""
        with _as_refusals():
            await self._training.delete(_tag(version, tag), {"assistant": assistant})

    def training_log(self, id: str, last_event_id: str | None) -> Log:  # noqa: A002
        """The log of a training as server-sent events."""
        return _log(self._training, f"/v1/trainings/{id}/log/events", last_event_id)

    def run_log(self, id: str, last_event_id: str | None) -> Log:  # noqa: A002
        """The log of a run as server-sent events."""
        return _log(self._running, f"/v1/runs/{id}/log/events", last_event_id)

    async def _get(
        self, client: OrchestratorClient, path: str, answer: TypeAdapter[Answer], query: Any = None
    ) -> Answer:
        with _as_refusals():
            return answer.validate_json(await client.get(path, query))

    async def _post(
        self, path: str, answer: TypeAdapter[Answer], body: dict[str, Any], *, client: OrchestratorClient | None = None
    ) -> Answer:
        with _as_refusals():
            return answer.validate_json(await (client or self._training).post_json(path, body))


@asynccontextmanager
async def _log(client: OrchestratorClient, path: str, last_event_id: str | None) -> AsyncIterator[AsyncIterator[bytes]]:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    with _as_refusals():
        async with client.stream(path, headers) as chunks:
            yield chunks


@contextmanager
def _as_refusals() -> Iterator[None]:
    """What an orchestrator refuses, or does not answer, in the words for people."""
    try:
        yield
    except OrchestratorError as error:
        raise refusal(error) from error


def _tag(version: str, tag: str) -> str:
    return f"/v1/models/{version}/tags/{tag}"


def _query(
    assistants: Sequence[str] | None, state: str | None, limit: int, before: Place | None
) -> list[tuple[str, str]]:
    query = [("limit", str(limit))] + [("assistant", name) for name in assistants or []]
    if state is not None:
        query.append(("state", state))
    if before is not None:
        query += [("before", before[0].isoformat()), ("before_id", before[1])]
    return query
