"""Handing images to a cluster of somebody else: by way of a registry that its nodes pull from."""

import os
from collections.abc import Mapping, Sequence

from builder.keys import REPOSITORY
from builder.process import say
from builder.store import Store

# Host, port and path below which the images are to be, for example `registry.example.com/team/studio`.
VARIABLE = "STUDIO_REGISTRY"
# As with Docker: a registry on this machine is asked without TLS.
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def chosen() -> str:
    """The registry that STUDIO_REGISTRY names; empty: images are handed to the cluster itself."""
    return os.environ.get(VARIABLE, "").strip().rstrip("/")


def published(refs: Mapping[str, str], registry: str) -> dict[str, str]:
    """The references as the cluster knows them."""
    if not registry:
        return dict(refs)
    return {name: f"{registry}/{ref.removeprefix(f'{REPOSITORY}/')}" for name, ref in refs.items()}


def is_local(registry: str) -> bool:
    """Whether the registry is on this machine."""
    host = registry.partition("/")[0]
    return host in _LOOPBACK or host.rpartition(":")[0] in _LOOPBACK


def push(refs: Mapping[str, str], order: Sequence[str], store: Store, registry: str) -> None:
    """Push the images; layers that the registry has are not sent again. Raises BuildError."""
    targets = published(refs, registry)
    for number, name in enumerate(order, start=1):
        say(f"pushing {targets[name]} ({number} of {len(order)})")
        store.push(refs[name], targets[name], tls=not is_local(registry))
    say(f"{registry} has every image")
