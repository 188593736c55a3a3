"""Rows as the messages of the contract. Pure."""

from studio.contract.model_service import (
    CacheHit,
    ModelView,
    Progress,
    RunState,
    RunView,
    TrainingState,
    TrainingView,
    TransitionView,
)
from studio.model_service.items import Item
from studio.model_service.orchestrators.history import Transition
from studio.model_service.orchestrators.registry import Assistant, Model
from studio.model_service.orchestrators.running.line import Turn
from studio.model_service.orchestrators.training.estimates import Outlook


def model_view(model: Model) -> ModelView:
    """A model."""
    return ModelView(
        version=str(model.version),
        fingerprint=model.fingerprint,
        sha256=model.sha256,
        size=model.size,
        trained_at=model.trained_at,
        training=model.training,
        engine_image=model.engine_image,
        seconds=model.seconds,
        parent=None if model.parent is None else str(model.parent),
        tags=sorted(model.tags),
    )


def cache_hit(model: Model) -> CacheHit:
    """The answer to a request for a model that is there."""
    message = f"this content is trained already: it is version {model.version} of the model"
    return CacheHit(message=message, model=model_view(model))


def transition_view(transition: Transition) -> TransitionView:
    """An entry of the audit."""
    return TransitionView(
        at=transition.at,
        who=transition.who,
        from_state=transition.from_state,
        to_state=transition.to_state,
        reason=transition.reason,
        message=transition.message,
        attempt=transition.attempt,
    )


def training_view(item: Item, outlook: Outlook | None = None) -> TrainingView:
    """A training; `outlook` counts only while it is queued."""
    state = TrainingState(item.state)
    ahead = outlook if state is TrainingState.QUEUED else None
    return TrainingView(
        id=item.id,
        assistant=item.assistant,
        fingerprint=item.fingerprint,
        state=state,
        reason=item.reason,
        message=item.message,
        attempt=item.attempt,
        position=ahead.position if ahead else None,
        waits_for=ahead.waits_for if ahead else "",
        starts_in=ahead.starts_in if ahead else None,
        priority=item.priority,
        progress=Progress.model_validate(item.progress) if item.progress else None,
        requested_at=item.requested_at,
        started_at=item.started_at,
        finished_at=item.finished_at,
        model_version=None if item.model_version is None else str(item.model_version),
    )


def run_view(item: Item, assistant: Assistant | None, turn: Turn | None = None) -> RunView:
    """A run; `turn` counts only while it is queued.

    A Service that cannot be written is told with the run that should be served and is not.
    """
    state = RunState(item.state)
    ahead = turn if state is RunState.QUEUED else None
    serving = assistant is not None and assistant.serving == item.id
    blocked = assistant is not None and bool(assistant.service_reason) and not serving and state is RunState.READY
    return RunView(
        id=item.id,
        assistant=item.assistant,
        model_version="" if item.model_version is None else str(item.model_version),
        model_sha256=str(item.spec.get("model_sha256", "")),
        state=state,
        reason=assistant.service_reason if blocked and assistant else item.reason,
        message=assistant.service_message if blocked and assistant else item.message,
        attempt=item.attempt,
        position=ahead.position if ahead else None,
        waits_for=ahead.waits_for if ahead else "",
        serving=serving,
        requested_at=item.requested_at,
        ready_at=item.ready_at,
    )
