"""Where news arrive: from the watches, from the slow pass, and from our own writes. Stores learn, keys are queued."""

from collections.abc import Callable

from studio.kube import ASSISTANT, DEPLOYMENT, Kind, Manifest
from studio_operator.runtime.keys import Key, concerned, key_of
from studio_operator.runtime.stores import Difference, Stores

_RESOURCES = frozenset({"Assistant", "Studio"})
# Of a resource; its status and its finalizers are all that passes write.
_OF_OTHERS = ("uid", "generation", "deletionTimestamp", "annotations", "labels")


class Intake:
    """Feeds the stores, and turns what changed into keys for `add`.

    `on_event` hears the kind and the namespace of every event of a watch, news or not. `on_deployments` is called when
    a Deployment changed: change streams follow the orchestrators.
    """

    def __init__(
        self,
        stores: Stores,
        add: Callable[[Key], None],
        *,
        on_event: Callable[[Kind, str], None] = lambda _kind, _namespace: None,
        on_deployments: Callable[[], None] = lambda: None,
    ) -> None:
        self._stores = stores
        self._add = add
        self._on_event = on_event
        self._on_deployments = on_deployments

    def observe(self, kind: Kind, event: str | None, body: Manifest) -> None:
        """An event of a watch; `event` is None for the objects of its initial list."""
        self._on_event(kind, body["metadata"]["namespace"])
        difference = self._stores.of(kind).observe(event, body)
        if difference is not None:
            self.changed(kind, difference)

    def learn(self, kind: Kind, body: Manifest, *, created: bool = False) -> None:
        """The answer to a write of a pass: news for others, not for the key that was written.

        Unless it was `created`: whoever makes a resource is not the pass that looks after it. And unless the answer
        brings what somebody else has changed meanwhile: its own event, older than the answer, will be no news.
        """
        difference = self._stores.learn(kind, body)
        if difference is not None and kind.kind in _RESOURCES:
            ours = not created and not _edited(difference)
            self.changed(kind, difference, besides=key_of(body) if ours else None)

    def changed(self, kind: Kind, difference: Difference, *, besides: Key | None = None) -> None:
        """Queue every key that the old or the new version of an object concerns, `besides` excepted."""
        assistants = self._stores.of(ASSISTANT)
        keys: set[Key] = set()
        for body in difference.versions():
            keys |= concerned(kind, body, assistants.select(body["metadata"]["namespace"]))
        for key in sorted(keys - {besides}):
            self._add(key)
        if kind == DEPLOYMENT:
            self._on_deployments()


def _edited(difference: Difference) -> bool:
    """Whether more has changed of a resource than what passes write."""
    before, after = ((body or {}).get("metadata", {}) for body in difference)
    return any(before.get(field) != after.get(field) for field in _OF_OTHERS)
