"""What the training orchestrator is told of an Assistant and of its Studio."""

from tests.unit.operator.components.conftest import IMAGES

from studio_operator.api.v1alpha1.assistant import AssistantSpec
from studio_operator.api.v1alpha1.studio import FinishedJobs
from studio_operator.components.context import AssistantContext
from studio_operator.reconcile import desired


def _context(finished_jobs: FinishedJobs, **training: object) -> AssistantContext:
    spec = {"source": {"configMaps": [{"name": "content"}]}, "training": training}
    return AssistantContext(
        name="kiosk",
        namespace="bots",
        uid="u",
        spec=AssistantSpec.model_validate(spec),
        studio_name="studio",
        version="1",
        images=IMAGES,
        finished_jobs=finished_jobs,
    )


def test_defaults() -> None:
    told = desired.training(_context(FinishedJobs()), "f")
    assert (told.stall_seconds, told.queue_name) == (900, None)
    assert (told.succeeded_job_seconds, told.failed_job_seconds) == (60, 3600)


def test_settings_are_handed_on() -> None:
    jobs = FinishedJobs(succeeded_seconds=0, failed_seconds=86_400)
    told = desired.training(_context(jobs, stallSeconds=0, queueName="batch"), "f")
    assert (told.stall_seconds, told.queue_name) == (0, "batch")
    assert (told.succeeded_job_seconds, told.failed_job_seconds) == (0, 86_400)
