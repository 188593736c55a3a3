"""The kinds that are watched and held in stores, and the part of them that the API server shall send."""

from dataclasses import dataclass

from studio.contract import labels
from studio.kube import (
    ASSISTANT,
    CONFIGMAP,
    DEPLOYMENT,
    INGRESS,
    JOB,
    ROLEBINDING,
    SERVICE,
    SERVICEACCOUNT,
    STATEFULSET,
    STUDIO,
    Kind,
)

MANAGED = f"{labels.MANAGED_BY} in ({labels.MANAGED_BY_OPERATOR},{labels.MANAGED_BY_MODEL_SERVICE})"


@dataclass(frozen=True)
class Watched:
    """One kind with the selectors of its lists and watches; `metadata_only`: of the objects only their metadata."""

    kind: Kind
    labels: str = ""
    fields: str = ""
    metadata_only: bool = False


# Secrets are never here: they are read by name only. ConfigMaps are anybody's, and may be large: sources of content
# carry no label of ours, so all are watched, but only to know that one has changed.
WATCHED: tuple[Watched, ...] = (
    Watched(STUDIO),
    Watched(ASSISTANT),
    Watched(CONFIGMAP, fields="metadata.name!=kube-root-ca.crt", metadata_only=True),
    Watched(DEPLOYMENT, MANAGED),
    Watched(INGRESS, MANAGED),
    Watched(JOB, MANAGED),
    Watched(ROLEBINDING, MANAGED),
    Watched(SERVICE, MANAGED),
    Watched(SERVICEACCOUNT, MANAGED),
    Watched(STATEFULSET, MANAGED),
)
