"""Pure: from an Assistant's spec to what the two orchestrators are asked for."""

from studio.contract.labels import ACTIONS_PORT, Component
from studio.contract.model_service import DesiredRunning, DesiredTraining
from studio.contract.names import child_of_assistant
from studio_operator.components.context import AssistantContext
from studio_operator.components.engine import running_engine, training_engine


def training(context: AssistantContext, fingerprint: str | None) -> DesiredTraining:
    """What the training orchestrator should train."""
    spec = context.spec.training
    return DesiredTraining(
        uid=context.uid,
        name=context.name,
        namespace=context.namespace,
        studio=context.studio_name,
        fingerprint=fingerprint,
        trigger=spec.trigger,
        priority=spec.priority,
        deadline_seconds=spec.deadline_seconds,
        attempts=spec.retries + 1,
        keep_models=spec.history.models,
        keep_trainings=spec.history.trainings,
        paused=context.spec.paused,
        stall_seconds=spec.stall_seconds,
        queue_name=spec.queue_name,
        succeeded_job_seconds=context.finished_jobs.succeeded_seconds,
        failed_job_seconds=context.finished_jobs.failed_seconds,
        engine=training_engine(context),
    )


def running(context: AssistantContext, fingerprint: str | None) -> DesiredRunning:
    """What the running orchestrator should serve."""
    spec = context.spec
    channels, licence = spec.channels.credentials_secret_ref, spec.engine.licence_secret_ref
    return DesiredRunning(
        uid=context.uid,
        name=context.name,
        namespace=context.namespace,
        studio=context.studio_name,
        fingerprint=fingerprint,
        mode=spec.running.mode,
        idle_seconds=spec.running.idle_minutes * 60,
        model=spec.running.model,
        credentials=channels.name if channels else None,
        credentials_digest=context.secret_digests.get(channels.name) if channels else None,
        licence_digest=context.secret_digests.get(licence.name) if licence else None,
        actions_url=_actions_url(context) if spec.actions else None,
        paused=spec.paused,
        warming=spec.running.warming and context.warming == "BeforeTrainingEnds",
        engine=running_engine(context),
    )


def _actions_url(context: AssistantContext) -> str:
    service = child_of_assistant(context.name, Component.ACTIONS)
    return f"http://{service}.{context.namespace}.svc:{ACTIONS_PORT}/webhook"
