"""What news concern whom: events of watches, and the answers to our own writes."""

from typing import Any

import pytest
from tests.fakes.kube import FakeKube

from studio.kube import ASSISTANT, Manifest
from studio_operator.runtime.intake import Intake
from studio_operator.runtime.keys import Key
from studio_operator.runtime.stores import Store, Stores

OWN, STUDIO = Key("Assistant", "n", "a"), Key("Studio", "n", "studio")


class World:
    """An Assistant that is known, and the keys that are asked for since."""

    def __init__(self) -> None:
        self.kube, self.asked = FakeKube(), list[Key]()
        self.intake = Intake(Stores([Store(ASSISTANT)]), self.asked.append)
        self.known = self.kube.put(assistant())
        self.intake.observe(ASSISTANT, "ADDED", self.known)
        self.asked.clear()


def assistant(**metadata: Any) -> Manifest:
    body = {"apiVersion": ASSISTANT.api_version, "kind": ASSISTANT.kind, "spec": {"source": {"files": {}}}}
    return {**body, "metadata": {"namespace": "n", "name": "a", **metadata}}


@pytest.fixture
def world() -> World:
    return World()


def test_a_status_of_our_own_is_news_for_others_only(world: World) -> None:
    answer = world.kube.set_status(ASSISTANT, "n", "a", {"observedGeneration": 1})
    world.intake.learn(ASSISTANT, answer)
    world.intake.observe(ASSISTANT, "MODIFIED", answer)
    assert world.asked == [STUDIO]


@pytest.mark.parametrize(
    "edited",
    [
        {"spec": {"source": {"files": {"config.yml": ""}}}},
        {"metadata": {"annotations": {"studio-operator.io/published": "2"}}},
        {"metadata": {"labels": {"team": "moved"}}},
    ],
    ids=["spec", "annotation", "label"],
)
def test_an_edit_that_comes_with_the_answer_to_a_status_is_news_for_its_own_key(world: World, edited: Manifest) -> None:
    """The event of the edit arrives later and is older than the answer: nobody else would say it."""
    body = {**world.known, **edited, "metadata": {**world.known["metadata"], **edited.get("metadata", {})}}
    event = world.kube.put(body)
    answer = world.kube.set_status(ASSISTANT, "n", "a", {"observedGeneration": 1})
    world.intake.learn(ASSISTANT, answer)
    assert OWN in world.asked
    world.asked.clear()
    world.intake.observe(ASSISTANT, "MODIFIED", event)
    world.intake.observe(ASSISTANT, "MODIFIED", answer)
    assert world.asked == [], "once is enough"


def test_whoever_makes_a_resource_asks_for_it(world: World) -> None:
    world.intake.learn(ASSISTANT, world.kube.put(assistant(name="b")), created=True)
    assert Key("Assistant", "n", "b") in world.asked
