"""A watch that fell behind, against the real API server: what was lost meanwhile is found again."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from studio.kube import ASSISTANT, CONFIGMAP, STUDIO, Kube
from studio_e2e.space import Space, Spaces
from studio_operator.runtime.intake import Intake
from studio_operator.runtime.keys import Key
from studio_operator.runtime.slowpass import SlowPass
from studio_operator.runtime.stores import Store, Stores
from studio_operator.runtime.watched import Watched

SOURCE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "source"},
    "data": {"domain.yml": "intents: []"},
}


@pytest.fixture
def drawer(spaces: Spaces) -> Iterator[Space]:
    space = spaces.make("gap")
    yield space
    spaces.drop(space)


@pytest.fixture
async def kube(drawer: Space, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kube]:
    monkeypatch.setitem(os.environ, "KUBECONFIG", drawer.kubectl.kubeconfig)
    connected = await Kube.connect(user_agent="studio-e2e")
    yield connected
    await connected.close()


async def test_the_slow_pass_forgets_what_was_deleted_in_a_gap(kube: Kube, drawer: Space) -> None:
    kinds = (CONFIGMAP, STUDIO, ASSISTANT)
    stores, keys = Stores(Store(kind) for kind in kinds), list[Key]()
    slow_pass = SlowPass(
        kube,
        stores,
        Intake(stores, keys.append),
        lambda key, _delay: keys.append(key),
        [Watched(kind) for kind in kinds],
        namespaces=[drawer.name],
    )
    await kube.create(CONFIGMAP, {**SOURCE, "metadata": {"name": "source", "namespace": drawer.name}})
    await slow_pass.once()
    assert stores.get(CONFIGMAP, drawer.name, "source") is not None

    await kube.delete(CONFIGMAP, drawer.name, "source")
    await slow_pass.once()
    assert stores.get(CONFIGMAP, drawer.name, "source") is None
