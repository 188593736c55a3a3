"""The Job of one attempt of a training: fetch the content, train, upload the model."""

from studio.contract import labels
from studio.contract.labels import Component
from studio.contract.model_service import DesiredTraining
from studio.model_service.jobs import parts, resources, scripts
from studio.model_service.jobs.parts import Attempt, Manifest, Site

FETCH, TRAIN, UPLOAD = "fetch", "train", "upload"
STEPS = (FETCH, TRAIN, UPLOAD)
# The deadline is the consumer's and runs from the start of `train`. This one only ends what every consumer forgot;
# it counts from the creation of the Job, so it leaves a day for waiting for a node and for pulling images.
_FORGOTTEN_SECONDS = 24 * 3600
_GRACE_SECONDS = 10
KUEUE_QUEUE = "kueue.x-k8s.io/queue-name"


def training_job(desired: DesiredTraining, attempt: Attempt, site: Site, *, memory_factor: float = 1.0) -> Manifest:
    """The Job of `attempt`; `memory_factor` multiplies the engine's memory after an attempt ran out of it."""
    metadata = parts.metadata(desired, attempt, site, component=Component.TRAINING, item_label=labels.TRAINING)
    work = {"name": "work", "mountPath": scripts.WORK}
    memory = resources.with_memory(desired.engine.resources, memory_factor)
    pod = parts.pod_spec(
        desired.engine,
        site,
        component=Component.TRAINING,
        grace_seconds=_GRACE_SECONDS,
        initContainers=[
            parts.helper(FETCH, attempt, site, mounts=[work]),
            parts.engine(TRAIN, desired.engine, scripts.TRAIN, resources=memory, mounts=[work]),
        ],
        containers=[parts.helper(UPLOAD, attempt, site, mounts=[work])],
        volumes=parts.volumes(work="4Gi", tmp="4Gi"),
    )
    # An autoscaler that empties a node for economy would throw the training away.
    annotations = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {**metadata, "labels": {**metadata["labels"], **_admission(desired)}},
        "spec": {
            # Kueue lets it start by taking this away.
            **({"suspend": True} if desired.queue_name else {}),
            "backoffLimit": 0,
            "activeDeadlineSeconds": desired.deadline_seconds + _FORGOTTEN_SECONDS,
            "template": {"metadata": {"labels": metadata["labels"], "annotations": annotations}, "spec": pod},
        },
    }


def _admission(desired: DesiredTraining) -> dict[str, str]:
    return {KUEUE_QUEUE: desired.queue_name} if desired.queue_name else {}
