"""The one way in which children come to be what they should be: applied when they differ, pruned when unwanted."""

from collections.abc import Iterable, Sequence

import structlog
from prometheus_client import Counter

from studio.contract import labels
from studio.kube import CONFIGMAP, Kind, Manifest, kind_of
from studio.kube.errors import Invalid
from studio_operator.planning.drift import difference, stamped
from studio_operator.planning.repair import TOLERATED, fields_of, replacement, surplus, toleration
from studio_operator.ports import Cluster

log = structlog.get_logger(__name__)

# Anybody's are watched, so the stores do not hold what is in them.
METADATA_ONLY = frozenset({CONFIGMAP})
WRITES = Counter("studio_operator_child_writes_total", "Children written by the applier", ["kind", "why"])


class Conflict(Exception):
    """An object of a name that we need belongs to somebody else. It is left untouched."""

    def __init__(self, live: Manifest) -> None:
        metadata = live["metadata"]
        owners = ", ".join(f"{o['kind']} {o['name']}" for o in metadata.get("ownerReferences", [])) or "nobody we know"
        super().__init__(
            f"{live.get('kind', 'object')} {metadata['name']} exists and belongs to {owners}: rename or delete it, "
            f"or choose another name"
        )


class Vanishing(Exception):
    """The object of that name is of our owner's predecessor and on its way out: look again soon."""


async def apply_all(cluster: Cluster, owner: Manifest, desired: Iterable[Manifest]) -> None:
    """Apply the objects in order, writing only what differs from what the stores hold.

    Raises Conflict before the first write to an object that is not the owner's, and the API server's own errors.
    """
    for body in desired:
        await _apply_one(cluster, owner, stamped(body))


async def prune(cluster: Cluster, owner: Manifest, desired: Sequence[Manifest], kinds: Sequence[Kind]) -> None:
    """Delete the owner's children of these kinds that are no longer wanted: ours by label and by owner reference."""
    namespace = owner["metadata"]["namespace"]
    wanted = {(body["kind"], body["metadata"]["name"]) for body in desired}
    ours = {labels.MANAGED_BY: labels.MANAGED_BY_OPERATOR, labels.INSTANCE: owner["metadata"]["name"]}
    for kind in kinds:
        for live in cluster.select(kind, namespace, ours):
            name, uid = live["metadata"]["name"], live["metadata"]["uid"]
            if (kind.kind, name) in wanted or not owned_by(live, owner) or "deletionTimestamp" in live["metadata"]:
                continue
            log.info("prune", kind=kind.kind, namespace=namespace, name=name)
            WRITES.labels(kind.kind, "prune").inc()
            await cluster.delete(kind, namespace, name, uid=uid)


async def _apply_one(cluster: Cluster, owner: Manifest, body: Manifest) -> None:
    kind, metadata = kind_of(body), body["metadata"]
    live = cluster.cached(kind, metadata["namespace"], metadata["name"])
    if live is None or kind in METADATA_ONLY:
        # Stores hold only what carries our labels; somebody else's object of that name shows up in a live read only.
        live = await cluster.get(kind, metadata["namespace"], metadata["name"])
    if live is None:
        WRITES.labels(kind.kind, "missing").inc()
        live = await cluster.apply(body)
    elif not is_ours(live, owner, body):
        raise Vanishing(metadata["name"]) if _of_predecessor(live, owner) else Conflict(live)
    elif found := difference(body, live):
        log.info("drift", kind=kind.kind, namespace=metadata["namespace"], name=metadata["name"], field=found)
        live = await _repair(cluster, kind, live, body)
    await _take_out(cluster, kind, live, body)


async def _repair(cluster: Cluster, kind: Kind, live: Manifest, body: Manifest) -> Manifest:
    """Apply, and go further where the API server refuses that for what is there already. Raises Invalid otherwise."""
    WRITES.labels(kind.kind, "drift").inc()
    try:
        return await cluster.apply(body)
    except Invalid:
        if "spec" in body:
            return await _take_over(cluster, kind, live, body)
        if live.get("roleRef") != body.get("roleRef"):
            return await _make_anew(cluster, kind, live, body)
        raise


async def _take_out(cluster: Cluster, kind: Kind, live: Manifest, body: Manifest) -> None:
    """Remove what somebody added and what breaks us.

    What is back in the answer to the write is noted, and then left alone until we want something else of the object.
    """
    patch = surplus(body, live)
    if not patch or live["metadata"].get("annotations", {}).get(TOLERATED) == toleration(body, patch):
        return
    namespace, name = live["metadata"]["namespace"], live["metadata"]["name"]
    log.info("surplus", kind=kind.kind, namespace=namespace, name=name, fields=fields_of(patch))
    WRITES.labels(kind.kind, "surplus").inc()
    version = live["metadata"]["resourceVersion"]
    answer = await cluster.patch(kind, namespace, name, patch, resource_version=version)
    if back := surplus(body, answer):
        log.warning("surplus is back at once", kind=kind.kind, namespace=namespace, name=name, fields=fields_of(back))
        note = {"metadata": {"annotations": {TOLERATED: toleration(body, back)}}}
        version = answer["metadata"]["resourceVersion"]
        await cluster.patch(kind, namespace, name, note, resource_version=version)


async def _take_over(cluster: Cluster, kind: Kind, live: Manifest, body: Manifest) -> Manifest:
    """Replace what we set in the spec whole, where applying would only add to what somebody else put into it.

    An edited Service port is such a case: ports merge by number, so an apply leaves two of one name, which is invalid.
    The parameters of another strategy are one, too. Raises Invalid when the spec itself is what the API server refuses.
    """
    metadata = live["metadata"]
    log.warning("take over", kind=kind.kind, namespace=metadata["namespace"], name=metadata["name"])
    WRITES.labels(kind.kind, "take-over").inc()
    patch, version = replacement(body, live), metadata["resourceVersion"]
    await cluster.patch(kind, metadata["namespace"], metadata["name"], patch, resource_version=version)
    return await cluster.apply(body)


async def _make_anew(cluster: Cluster, kind: Kind, live: Manifest, body: Manifest) -> Manifest:
    """Delete and apply: the role of a binding cannot be changed. Raises Invalid when that was not the reason."""
    metadata = live["metadata"]
    log.warning("make anew", kind=kind.kind, namespace=metadata["namespace"], name=metadata["name"])
    WRITES.labels(kind.kind, "make-anew").inc()
    await cluster.delete(kind, metadata["namespace"], metadata["name"], uid=metadata["uid"])
    return await cluster.apply(body)


def owned_by(live: Manifest, owner: Manifest) -> bool:
    """Whether the owner's uid is among the owner references."""
    uid = owner["metadata"]["uid"]
    return any(reference["uid"] == uid for reference in live["metadata"].get("ownerReferences", []))


def _of_predecessor(live: Manifest, owner: Manifest) -> bool:
    """A resource deleted and made again under the same name finds children that are still being collected."""
    return "deletionTimestamp" in live["metadata"] or any(
        (reference["kind"], reference["name"]) == (owner["kind"], owner["metadata"]["name"])
        for reference in live["metadata"].get("ownerReferences", [])
    )


def is_ours(live: Manifest, owner: Manifest, body: Manifest) -> bool:
    """Whether we may write: the owner's by uid, or, for what must outlive its owner, by our labels and its name."""
    if owned_by(live, owner):
        return True
    has = live["metadata"].get("labels", {})
    retained = not body["metadata"].get("ownerReferences")
    same = all(has.get(key) == body["metadata"]["labels"][key] for key in (labels.MANAGED_BY, labels.INSTANCE))
    orphaned = not live["metadata"].get("ownerReferences")
    return same and (retained or orphaned)
