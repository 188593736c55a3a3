"""What the orchestrators are told of an Assistant and of its Studio."""

from dataclasses import replace

import pytest
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


@pytest.mark.parametrize(
    ("studio", "assistant", "expected"),
    [("Never", {}, False), ("BeforeTrainingEnds", {}, True), ("BeforeTrainingEnds", {"warming": False}, False)],
)
def test_an_assistant_is_warmed_where_its_studio_wants_it(
    studio: str, assistant: dict[str, object], expected: bool
) -> None:
    context = _context(FinishedJobs())
    running = context.spec.running.model_validate(assistant)
    context = replace(context, spec=context.spec.model_copy(update={"running": running}), warming=studio)
    assert desired.running(context, "f").warming is expected


def test_defaults() -> None:
    told = desired.training(_context(FinishedJobs()), "f")
    assert (told.stall_seconds, told.queue_name) == (900, None)
    assert (told.succeeded_job_seconds, told.failed_job_seconds) == (60, 3600)


def test_settings_are_handed_on() -> None:
    jobs = FinishedJobs(succeeded_seconds=0, failed_seconds=86_400)
    told = desired.training(_context(jobs, stallSeconds=0, queueName="batch"), "f")
    assert (told.stall_seconds, told.queue_name) == (0, "batch")
    assert (told.succeeded_job_seconds, told.failed_job_seconds) == (0, 86_400)
