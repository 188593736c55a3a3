"""Trainings, models and runs."""

from pydantic import Field

from studio.backend.models.common import Model, Request
from studio.contract.model_service import ModelView, Priority, RunView, TrainingView, TransitionView


class Training(TrainingView):
    """One training."""


class Transition(TransitionView):
    """One entry of the audit of a training or a run: who changed it, when, and why."""


class Prioritisation(Request):
    """Where a training that waits shall be in the queue."""

    priority: Priority


class Run(RunView):
    """One run."""


class TrainedModel(ModelView):
    """One immutable trained model."""

    active: bool = Field(description="whether it answers users now")


class LogLine(Model):
    """One line of a training's log."""

    line: str


class LogEnd(Model):
    """Why a log has ended: the final state of its training."""

    state: str
