"""Trainings, models and runs."""

from pydantic import Field

from studio.backend.models.common import Model
from studio.contract.model_service import ModelView, RunView, TrainingView


class Training(TrainingView):
    """One training."""


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
