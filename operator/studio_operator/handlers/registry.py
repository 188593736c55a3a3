"""One `on.event` handler per watched kind; all they do is to hand the raw event on."""

from collections.abc import Callable
from typing import Any

import kopf

from studio.kube import Kind, Manifest
from studio_operator.handlers.login import login_handler
from studio_operator.runtime.liveness import WatchActivity
from studio_operator.runtime.watched import Watched

Observe = Callable[[Kind, str | None, Manifest], None]


def build_registry(
    watched: tuple[Watched, ...], observe: Observe, activity: WatchActivity, *, user_agent: str
) -> kopf.OperatorRegistry:
    """A registry of our own, so that nothing that is merely imported can add handlers."""
    # kopf's own smart registry would add logins of its own.
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(login_handler(watched, activity, user_agent))
    for entry in watched:
        kind = entry.kind
        kopf.on.event(group=kind.group, version=kind.version, plural=kind.plural, id=kind.plural, registry=registry)(
            _event_handler(kind, observe)
        )
    return registry


def _event_handler(kind: Kind, observe: Observe) -> Callable[..., Any]:
    async def changed(event: Any, **_: Any) -> None:
        observe(kind, event["type"], event["object"])

    return changed
