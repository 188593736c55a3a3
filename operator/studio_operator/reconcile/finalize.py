"""The end of an Assistant: the orchestrators stop and clean, then the finalizer goes; with its namespace, at once."""

from collections.abc import Iterable

import structlog

from studio.contract import labels, names
from studio.contract.labels import Component
from studio.kube import ASSISTANT, DEPLOYMENT, JOB, NAMESPACE, SERVICE, STUDIO, Manifest
from studio.kube.errors import Conflict, Forbidden, NotFound
from studio_operator.planning.membership import studio_of
from studio_operator.ports import Cluster, ModelService

log = structlog.get_logger(__name__)

FINALIZER = f"{labels.GROUP}/finalizer"
# The way out when the orchestrators will never answer again: deletion then no longer waits for them.
FORCE_DELETE = f"{labels.GROUP}/force-delete"
LOOK_AGAIN = 1.0
# Of a write that somebody else's came in between.
ATTEMPTS = 3
# A consumer ends a Job within its grace period. One that takes longer than this is not there: its Jobs go without it.
PATIENCE_SECONDS = 60.0
ORCHESTRATORS = (Component.TRAINING_ORCHESTRATOR, Component.RUNNING_ORCHESTRATOR)


async def ensure_finalizer(cluster: Cluster, assistant: Manifest) -> bool:
    """Put our finalizer on, as a compare-and-swap so that nobody else's is lost.

    Nothing may be asked of the orchestrators before it is on: they would never hear of the end. False when somebody
    was faster, and where the namespace is going: nobody is asked for anything there.
    """
    finalizers = assistant["metadata"].get("finalizers", [])
    if FINALIZER in finalizers:
        return True
    if await _is_going(cluster, assistant["metadata"]["namespace"]):
        return False
    return await _set_finalizers(cluster, assistant, [*finalizers, FINALIZER])


async def finalize(cluster: Cluster, model_service: ModelService, assistant: Manifest) -> float | None:
    """One step of the deletion; returns when to look again, None once the finalizer is gone.

    Raises ModelServiceError while an orchestrator does not answer: the work queue repeats with a back-off.
    """
    metadata = assistant["metadata"]
    if FINALIZER not in metadata.get("finalizers", []):
        return None
    namespace, name = metadata["namespace"], metadata["name"]
    if await _nobody_to_ask(cluster, assistant):
        await remove_model_service_objects(cluster, assistant)
    else:
        delete_data = (assistant.get("spec") or {}).get("deletionPolicy") == "Delete"
        answers = await model_service.remove(
            namespace, studio_of(assistant), name, metadata["uid"], delete_data=delete_data
        )
        waiting = [answer for answer in answers if not answer.gone]
        if any(answer.waiting_seconds > PATIENCE_SECONDS for answer in waiting):
            await remove_model_service_objects(cluster, assistant)
        if waiting:
            log.info("finalize", namespace=namespace, name=name, waits_for=[answer.message for answer in waiting])
            return LOOK_AGAIN
    return None if await _take_finalizer_off(cluster, assistant) else LOOK_AGAIN


async def let_go(cluster: Cluster, namespace: str, assistants: Iterable[str]) -> bool:
    """Take the finalizers off these Assistants of a namespace that is going; whether it is.

    Pods go before everything else there (OrderedNamespaceDeletion, Kubernetes 1.33), and the rights of an operator of
    that namespace with the rest: once it is asked for the end of an Assistant, it may not be able to let it end.
    """
    if not await _is_going(cluster, namespace):
        return False
    for name in assistants:
        if not await _let_one_go(cluster, namespace, name):
            log.warning("finalizer not taken off", namespace=namespace, name=name)
    return True


async def _let_one_go(cluster: Cluster, namespace: str, name: str) -> bool:
    for _ in range(ATTEMPTS):
        live = await cluster.get(ASSISTANT, namespace, name)
        if live is None or FINALIZER not in live["metadata"].get("finalizers", []):
            return True
        if await _take_finalizer_off(cluster, live):
            log.info("let go with its namespace", namespace=namespace, name=name)
            return True
    return False


async def _take_finalizer_off(cluster: Cluster, assistant: Manifest) -> bool:
    others = [finalizer for finalizer in assistant["metadata"]["finalizers"] if finalizer != FINALIZER]
    return await _set_finalizers(cluster, assistant, others)


async def remove_model_service_objects(cluster: Cluster, assistant: Manifest) -> None:
    """Delete the Jobs and the Service of an assistant for which nobody else is left to do it."""
    metadata = assistant["metadata"]
    wanted = {labels.ASSISTANT: metadata["name"], labels.MANAGED_BY: labels.MANAGED_BY_MODEL_SERVICE}
    for kind in (JOB, SERVICE):
        for live in cluster.select(kind, metadata["namespace"], wanted):
            await cluster.delete(kind, metadata["namespace"], live["metadata"]["name"], uid=live["metadata"]["uid"])


async def _nobody_to_ask(cluster: Cluster, assistant: Manifest) -> bool:
    """Whether the orchestrators are gone or going: their Studio, or the whole namespace with them."""
    metadata = assistant["metadata"]
    if metadata.get("annotations", {}).get(FORCE_DELETE) == "true":
        return True
    studio = await cluster.get(STUDIO, metadata["namespace"], studio_of(assistant))
    if studio is None or "deletionTimestamp" in studio["metadata"] or never_served(cluster, studio):
        return True
    return await _is_going(cluster, metadata["namespace"])


async def _is_going(cluster: Cluster, namespace: str) -> bool:
    try:
        live = await cluster.get(NAMESPACE, "", namespace)
    except Forbidden:
        # A binding of less than the whole role, or one that has gone already.
        return False
    return live is None or "deletionTimestamp" in live["metadata"]


def never_served(cluster: Cluster, studio: Manifest) -> bool:
    """Whether a Studio is still on its way to its first orchestrators: nobody was ever told of an assistant."""
    conditions = studio.get("status", {}).get("conditions", [])
    migrated = any(c["type"] == "MigrationSucceeded" and c["status"] == "True" for c in conditions)
    namespace, name = studio["metadata"]["namespace"], studio["metadata"]["name"]
    orchestrators = (names.child(name, component) for component in ORCHESTRATORS)
    return not migrated and all(cluster.cached(DEPLOYMENT, namespace, child) is None for child in orchestrators)


async def _set_finalizers(cluster: Cluster, assistant: Manifest, finalizers: list[str]) -> bool:
    metadata = assistant["metadata"]
    try:
        await cluster.patch(
            ASSISTANT,
            metadata["namespace"],
            metadata["name"],
            {"metadata": {"finalizers": finalizers}},
            resource_version=metadata["resourceVersion"],
        )
    except (Conflict, NotFound):
        # Somebody was faster; the event of that change brings us back with a fresh object.
        log.debug("finalizer conflict", namespace=metadata["namespace"], name=metadata["name"])
        return False
    return True
