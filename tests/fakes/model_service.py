"""Both orchestrators of a Studio in memory, behind the `ModelService` port.

As the real ones they are told what is wanted and answer what is; nothing proceeds by itself: tests play the consumers
with `train`, `fail_training`, `serve`.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.fakes.cluster import Lifeline

from studio.contract.model_service import (
    DesiredRunning,
    DesiredTraining,
    ModelView,
    ObservedRunning,
    ObservedTraining,
    Removal,
    RunState,
    RunView,
    Slots,
    TrainingState,
    TrainingView,
)
from studio_operator.ports import ModelServiceError

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class Assistant:
    """What the orchestrators know of one assistant."""

    training: DesiredTraining | None = None
    running: DesiredRunning | None = None
    contents: dict[str, bytes] = field(default_factory=dict)
    trainings: list[TrainingView] = field(default_factory=list)
    models: list[ModelView] = field(default_factory=list)
    runs: list[RunView] = field(default_factory=list)


class FakeModelService:
    """See the module. `error` is raised by every call while it is set, `training_error` by those about trainings."""

    def __init__(self, lifeline: Lifeline | None = None) -> None:
        self.lifeline = lifeline or Lifeline()
        self.assistants: dict[str, Assistant] = {}
        self.removed: list[tuple[str, bool]] = []
        self.handed_over: list[str] = []
        self.error: ModelServiceError | None = None
        self.training_error: ModelServiceError | None = None
        self.durable: bool | None = None
        self.stubborn = False
        self.waiting_seconds = 0.0
        self.held = Slots()

    async def put_training(self, desired: DesiredTraining) -> ObservedTraining:
        self._begin()
        if self.training_error:
            raise self.training_error
        known = self.assistants.setdefault(desired.uid, Assistant())
        known.training = desired
        fingerprint = desired.fingerprint
        needs_content = fingerprint is not None and fingerprint not in known.contents
        asked = desired.trigger == "OnChange" and not desired.paused
        new = not any(training.fingerprint == fingerprint for training in known.trainings)
        if fingerprint and not needs_content and asked and new:
            self._queue(known, desired, fingerprint)
        self.lifeline.after_step()
        return ObservedTraining(
            needs_content=needs_content,
            training=next((t for t in reversed(known.trainings) if t.fingerprint == fingerprint), None),
            model=next((m for m in known.models if m.fingerprint == fingerprint), None),
            latest_model=known.models[-1] if known.models else None,
        )

    async def put_content(self, desired: DesiredTraining, archive: bytes, sha256: str) -> None:
        self._begin()
        assert hashlib.sha256(archive).hexdigest() == sha256
        assert desired.fingerprint is not None
        self.assistants[desired.uid].contents[desired.fingerprint] = archive
        self.handed_over.append(desired.fingerprint)
        self.lifeline.after_step()

    async def put_running(self, desired: DesiredRunning) -> ObservedRunning:
        self._begin()
        known = self.assistants.setdefault(desired.uid, Assistant())
        known.running = desired
        self.lifeline.after_step()
        target = self._target(known, desired)
        return ObservedRunning(
            target=target,
            serving=next((run for run in known.runs if run.serving), None),
            newest=next((r for r in reversed(known.runs) if target and r.model_version == target.version), None),
            trackers_durable=self.durable,
        )

    async def remove(
        self, namespace: str, studio: str, assistant: str, uid: str, *, delete_data: bool
    ) -> list[Removal]:
        self._begin()
        self.removed.append((uid, delete_data))
        if not self.stubborn:
            self.assistants.pop(uid, None)
        self.lifeline.after_step()
        waits = Removal(gone=not self.stubborn, message="a run is stopping", waiting_seconds=self.waiting_seconds)
        return [waits, Removal(gone=True)]

    async def slots(self, namespace: str, studio: str) -> Slots:
        if self.error:
            raise self.error
        return self.held

    # What tests do to it.

    def of(self, name: str) -> Assistant:
        """What is known of the assistant of that name."""
        return next(known for known in self.assistants.values() if known.training and known.training.name == name)

    def train(self, name: str) -> ModelView:
        """Let the newest training succeed."""
        known = self.of(name)
        training = known.trainings[-1]
        version = str(len(known.models) + 1)
        known.models.append(
            ModelView(
                version=version,
                fingerprint=training.fingerprint,
                sha256=version * 64,
                size=1,
                trained_at=NOW,
                training=training.id,
                engine_image="engine",
            )
        )
        known.trainings[-1] = training.model_copy(
            update={"state": TrainingState.SUCCEEDED, "reason": "Succeeded", "position": None, "model_version": version}
        )
        return known.models[-1]

    def fail_training(self, name: str, message: str) -> None:
        """Let the newest training fail with the engine's own words."""
        known = self.of(name)
        changes = {"state": TrainingState.FAILED, "reason": "InvalidContent", "message": message, "position": None}
        known.trainings[-1] = known.trainings[-1].model_copy(update=changes)

    def serve(self, name: str) -> RunView:
        """Let the target model of the assistant serve, in place of all others."""
        known = self.of(name)
        assert known.running is not None
        target = self._target(known, known.running)
        assert target is not None
        known.runs = [run.model_copy(update={"serving": False, "state": RunState.STOPPED}) for run in known.runs]
        known.runs.append(
            RunView(
                id=f"{name}-r{len(known.runs) + 1}",
                assistant=name,
                model_version=target.version,
                model_sha256=target.sha256,
                state=RunState.READY,
                reason="Ready",
                serving=True,
                requested_at=NOW,
                ready_at=NOW,
            )
        )
        return known.runs[-1]

    def _begin(self) -> None:
        if self.error is not None:
            raise self.error
        self.lifeline.before_step()

    @staticmethod
    def _queue(known: Assistant, desired: DesiredTraining, fingerprint: str) -> None:
        known.trainings.append(
            TrainingView(
                id=f"{desired.name}-t{len(known.trainings) + 1}",
                assistant=desired.name,
                fingerprint=fingerprint,
                state=TrainingState.QUEUED,
                reason="Queued",
                position=1,
                requested_at=NOW,
            )
        )

    @staticmethod
    def _target(known: Assistant, desired: DesiredRunning) -> ModelView | None:
        if desired.model != "latest":
            return next((model for model in known.models if model.version == desired.model), None)
        serving = {run.model_version for run in known.runs if run.serving}
        of_content = [model for model in known.models if model.fingerprint == desired.fingerprint]
        served = [model for model in known.models if model.version in serving]
        return next(iter(of_content + served + known.models[::-1]), None)
