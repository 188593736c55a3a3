"""From an Assistant's spec to how its engine's pods are made; the consumers build the Jobs."""

from studio.contract.model_service import EnginePod, SecretKey
from studio_operator.api.quantity import Requirements, merged
from studio_operator.api.v1alpha1.assistant import RUNNING_RESOURCES, TRAINING_RESOURCES
from studio_operator.api.v1alpha1.common import Resources, Scheduling
from studio_operator.components.context import AssistantContext


def training_engine(context: AssistantContext) -> EnginePod:
    """The engine of a training."""
    training = context.spec.training
    return _engine(context, training, TRAINING_RESOURCES, training.resources)


def running_engine(context: AssistantContext) -> EnginePod:
    """The engine of a run."""
    running = context.spec.running
    return _engine(context, running, RUNNING_RESOURCES, running.resources)


def _engine(
    context: AssistantContext, scheduling: Scheduling, defaults: Requirements, resources: Resources
) -> EnginePod:
    engine = context.spec.engine
    licence = engine.licence_secret_ref
    return EnginePod(
        image=engine.image or context.images.engine,
        image_pull_policy=context.images.pull_policy,
        image_pull_secrets=list(context.images.pull_secrets),
        env=[variable.manifest() for variable in engine.env],
        licence=SecretKey(name=licence.name, key=licence.key) if licence else None,
        resources=merged(defaults, engine.resources.requirements(), resources.requirements()),
        node_selector=dict(scheduling.node_selector),
        tolerations=[toleration.manifest() for toleration in scheduling.tolerations],
        affinity=scheduling.affinity,
        priority_class_name=scheduling.priority_class_name,
    )
