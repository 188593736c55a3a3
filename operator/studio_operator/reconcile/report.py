"""The end of every pass: one status write, only when something changed, and events after it succeeded."""

from typing import Any

from studio.kube import Kind, Manifest
from studio.kube.errors import NotFound
from studio_operator.ports import Cluster, Recorder
from studio_operator.status.conditions import transitions


async def report(cluster: Cluster, recorder: Recorder, kind: Kind, resource: Manifest, status: dict[str, Any]) -> bool:
    """Write `status` if it differs from what `resource` has, then tell of the conditions that changed.

    Whether it was written.
    """
    before = resource.get("status", {})
    if before == status:
        return False
    metadata = resource["metadata"]
    try:
        await cluster.write_status(kind, metadata["namespace"], metadata["name"], status)
    except NotFound:
        # Deleted in the meantime; the event of that brings the next pass, if there is anything left to do.
        return False
    for change in transitions(before.get("conditions", []), status.get("conditions", [])):
        if change.type == "Reconciling":
            continue
        message = f"{change.type}: {change.message}"
        await recorder.record(resource, reason=change.reason, message=message, warning=change.warning)
    return True
