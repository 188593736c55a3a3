"""Identities of the pods of a Studio, and what those may do in its namespace.

The ClusterRoles are shipped with the operator, which may only bind them; here are the bindings.
"""

from studio.contract.labels import Component
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest, metadata

ACCOUNTS = (
    Component.BACKEND,
    Component.TRAINING_ORCHESTRATOR,
    Component.RUNNING_ORCHESTRATOR,
    Component.TRAINING_CONSUMER,
    Component.RUNNING_CONSUMER,
    # Of the pods of training and run Jobs: they only need to be told apart.
    Component.TRAINING,
    Component.RUN,
)
BOUND = (
    Component.BACKEND,
    Component.TRAINING_CONSUMER,
    Component.TRAINING_ORCHESTRATOR,
    Component.RUNNING_CONSUMER,
    Component.RUNNING_ORCHESTRATOR,
)


def cluster_role(component: Component) -> str:
    """The name of the ClusterRole of a component."""
    return f"studio-operator-{component.value}"


def objects(context: StudioContext) -> list[Manifest]:
    """The ServiceAccounts and RoleBindings."""
    return [_account(context, component) for component in ACCOUNTS] + [_binding(context, it) for it in BOUND]


def _account(context: StudioContext, component: Component) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(context, component),
        # Pods that need the API say so themselves.
        "automountServiceAccountToken": False,
    }


def _binding(context: StudioContext, component: Component) -> Manifest:
    name = context.child(component)
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata(context, component),
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": cluster_role(component),
        },
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": context.namespace}],
    }
