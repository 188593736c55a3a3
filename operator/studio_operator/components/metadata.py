"""Names, labels and owners of the objects of a component."""

import hashlib
import re
from typing import Any

from studio.contract import labels
from studio.contract.labels import MANAGED_BY_OPERATOR, Component
from studio_operator.components.context import Context, StudioContext

Manifest = dict[str, Any]

# The pods of a StatefulSet carry a label "<name>-<hash of up to 10 digits>", and a label has at most 63 characters.
STATEFUL_SET_NAME_MAX = 52


def metadata(context: Context, component: Component, name: str | None = None, *, owned: bool = True) -> Manifest:
    """The metadata of one object; without a name it has that of the component."""
    made: Manifest = {
        "name": name or context.child(component),
        "namespace": context.namespace,
        "labels": common_labels(context, component),
    }
    return made | ({"ownerReferences": [context.owner]} if owned else {})


def common_labels(context: Context, component: Component) -> dict[str, str]:
    """The labels of every object and pod of a component."""
    return labels.common(
        instance=context.instance,
        studio=context.studio,
        component=component,
        managed_by=MANAGED_BY_OPERATOR,
        # Build metadata of a version ("1.2.0+build.5") is no label value.
        version=re.sub(r"[^-._a-zA-Z0-9]", "_", context.version),
    )


def selector(context: Context, component: Component) -> dict[str, str]:
    """The labels that find the pods of a component."""
    return labels.selector(instance=context.instance, studio=context.studio, component=component)


def stateful_set_name(context: StudioContext, component: Component) -> str:
    """The name of a component's StatefulSet: as `child`, but short enough for the labels of its pods."""
    name = context.child(component)
    if len(name) <= STATEFUL_SET_NAME_MAX:
        return name
    return f"{name[: STATEFUL_SET_NAME_MAX - 6].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:5]}"
