"""From the engine through Kafka into the conversation store: in order, once, whatever dies or is away meanwhile."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from studio.contract import names
from studio.contract.labels import Component
from studio_e2e import api, assistants, chat, faults, topics
from studio_e2e.api import Api
from studio_e2e.assistants import Assistant, Porter
from studio_e2e.keycloak import Keycloak, Login
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

Json = dict[str, Any]

BROKER = "studio-event-broker"
TOPIC, PARTNER = "studio-events", "partner-events"
HOTLINE = "elsewhere.hotline"
ROLLED_OUT_WITHIN = 90.0
# An engine has two seconds for each turn to hand its events over; the rest is a slow machine.
PROMPT_SECONDS = 10.0


@pytest.fixture(scope="module")
def auditor(shared: Space) -> Iterator[Login]:
    """A program that may do everything."""
    assistants.wait_studio_ready(shared)
    with Keycloak(shared).program("e2e-auditor", "admin") as login:
        yield login


@pytest.fixture
def store(auditor: Login, origin: str) -> Iterator[Api]:
    """The API with all rights; the conversations that are stored during the test are gone at its end."""
    opened = api.signed_in(origin, auditor)
    before = ids(opened)
    yield opened
    eventually("the origin answers", lambda: opened.get("/me"), within=60)
    for conversation in ids(opened) - before:
        opened.ask("DELETE", f"/conversations/{conversation}")


def ids(store: Api) -> set[int]:
    return {item["id"] for item in store.get("/conversations", limit=200)["items"]}


def test_a_conversation_is_stored_in_order_with_what_was_understood_and_done(porter: Porter, store: Api) -> None:
    told = ["good day", "I have an appointment", "Mrs Miller", "three"]
    heard = chat.say(porter.space, porter.name, "evening-visitor", told)
    found = stored(store, porter, "evening-visitor", messages=len(told))
    users = [event for event in found["events"] if event["type"] == "user"]
    assert [event["text"] for event in users] == told
    assert [event["intent"] for event in users][:2] == ["greet", "visit"]
    bots = [event["text"] for event in found["events"] if event["type"] == "bot"]
    assert bots == [text for answer in heard for text in answer]
    done = [event["action"] for event in found["events"] if event["type"] == "action"]
    assert [action for action in done if action != "action_listen"] == [
        "action_session_start",
        "utter_greet",
        "visit_form",
        "visit_form",
        "visit_form",
        "utter_announced",
    ]
    times = [event["at"] for event in found["events"]]
    assert times == sorted(times)
    assert found["assistant_id"] == names.assistant_id(porter.space.name, porter.name)
    assert (found["channel"], found["user_messages"], found["bot_messages"]) == ("rest", len(told), len(bots))
    store.wait_lag()


def test_an_ingestion_that_is_killed_loses_and_doubles_nothing(porter: Porter, store: Api) -> None:
    told = [f"good day {number}" for number in range(200)]
    with ThreadPoolExecutor(1) as pool:
        chatting = pool.submit(chat.say, porter.space, porter.name, "evening-crowd", told)
        stored(store, porter, "evening-crowd", messages=1)
        assert faults.sigkill(porter.space, porter.space.pod_of(Component.INGESTION))
        assert not chatting.done(), "the messages were too few: all were sent before the kill"
        chatting.result()
    found = stored(store, porter, "evening-crowd", messages=len(told))
    store.wait_lag()
    assert said_by("user", found) == told
    assert said_by("bot", found) == [porter.greeting] * len(told)
    assert found == store.conversation("evening-crowd", porter.name)


def test_what_was_said_while_kafka_was_away_is_filled_in_from_the_trackers(porter: Porter, store: Api) -> None:
    space, during = porter.space, [f"good day {number}" for number in range(5)]
    chat.say(space, porter.name, "patient-caller", ["hello porter"])
    stored(store, porter, "patient-caller", messages=1)
    with paused(space):
        scale_broker(space, 0)
        began = time.monotonic()
        answers = chat.say(space, porter.name, "patient-caller", during)
        assert answers == [[porter.greeting]] * len(during)
        assert time.monotonic() - began < PROMPT_SECONDS * len(during)
        (engine,) = porter.serving()
        assert faults.sigkill(space, engine)
        scale_broker(space, 1)
    assistants.wait_studio_ready(space)
    eventually("another engine serves", lambda: serves_instead(porter, engine), within=120)
    chat.say(space, porter.name, "patient-caller", ["hello porter again"])
    lost = stored(store, porter, "patient-caller", saying="hello porter again")
    store.wait_lag()
    assert not set(during) & set(said_by("user", lost)), "Kafka had these all the time: nothing was lost"

    topics.fill_back(space)
    found = stored(store, porter, "patient-caller", messages=len(during) + 2)
    everything = ["hello porter", *during, "hello porter again"]
    assert said_by("user", found) == everything
    assert said_by("bot", found) == [porter.greeting] * len(everything)
    topics.fill_back(space)
    assert store.conversation("patient-caller", porter.name) == found


@pytest.fixture
def partner(studio: Space) -> Iterator[str]:
    """A topic of somebody else that the Studio is told to read; nothing of it is left at the end."""
    topics.make(studio, PARTNER)
    studio.patch("studio", "studio", {"spec": {"ingestion": {"topics": [PARTNER]}}})
    wait_topics(studio, PARTNER)
    yield PARTNER
    topics.forget(studio, topics=[PARTNER, TOPIC], assistants=[HOTLINE])
    studio.patch("studio", "studio", {"spec": {"ingestion": None}})
    wait_topics(studio, "")
    topics.drop(studio, PARTNER)


def test_records_of_others_are_conversations_or_dead_letters(porter: Porter, store: Api, partner: str) -> None:
    space = porter.space
    for topic in (TOPIC, partner):
        topics.produce(space, topic, [f"not JSON at all, in {topic}", *phone_call(f"caller of {topic}")])
        found = eventually(
            f"the call in {topic} is stored",
            lambda sender=f"caller of {topic}": store.conversation(sender, HOTLINE),  # type: ignore[misc]
            within=api.STORED_WITHIN,
        )
        assert said_by("user", found) == ["Is anybody there?"]
        assert said_by("bot", found) == ["The hotline is open."]

    letters = {item["topic"]: item for item in store.get("/dead-letters")["items"]}
    assert {topic: letters[topic]["reason"] for topic in (TOPIC, partner)} == dict.fromkeys(
        (TOPIC, partner), "not_json"
    )
    assert letters[partner]["value"] == f"not JSON at all, in {partner}"
    number = letters[partner]["id"]
    assert store.ask("POST", f"/dead-letters/{number}/replay").status == 202

    def replayed() -> Json | None:
        items: list[Json] = store.get("/dead-letters")["items"]
        return next((item for item in items if item["id"] == number and item["replayed_at"]), None)

    assert eventually("it was replayed", replayed, within=api.STORED_WITHIN)["replay_result"].startswith("refused: ")


def stored(store: Api, assistant: Assistant, sender: str, *, messages: int = 0, saying: str = "") -> Json:
    """The conversation, once it has this many messages of the person, or one that says this."""

    def complete() -> Json:
        found = store.conversation(sender, assistant.name)
        if found is None:
            raise NotYet("no conversation")
        said = Counter(said_by("user", found))
        answered = found["bot_messages"] >= found["user_messages"]
        if found["user_messages"] < messages or (saying and saying not in said) or not answered:
            raise NotYet(f"{found['user_messages']} messages: {said}")
        return found

    return eventually(f"what {sender} said is stored", complete, within=api.STORED_WITHIN)


def said_by(who: str, conversation: Json) -> list[str]:
    return [event["text"] for event in conversation["events"] if event["type"] == who and event["text"]]


def phone_call(sender: str) -> list[str]:
    """What an assistant that is deployed elsewhere publishes of a short conversation."""
    common = {"sender_id": sender, "metadata": {"assistant_id": HOTLINE}}
    now = time.time()
    return [
        json.dumps(
            {**common, "event": "user", "timestamp": now, "text": "Is anybody there?", "input_channel": "phone"}
        ),
        json.dumps({**common, "event": "bot", "timestamp": now + 0.5, "text": "The hotline is open."}),
    ]


@contextmanager
def paused(space: Space) -> Iterator[None]:
    """Nobody repairs the Studio for as long as the block runs."""
    space.patch("studio", "studio", {"spec": {"paused": True}})

    def seen() -> bool:
        found = space.must_get("studio", "studio").get("status", {}).get("conditions", [])
        return any(c["type"] == "Paused" and c["status"] == "True" for c in found)

    try:
        eventually("the Studio is paused", seen, within=30)
        yield
    finally:
        # What was scaled to nothing is repaired from here on.
        space.patch("studio", "studio", {"spec": {"paused": None}})


def scale_broker(space: Space, replicas: int) -> None:
    space.run("scale", "statefulset", BROKER, f"--replicas={replicas}")

    def scaled() -> bool:
        return len(space.list("pods", component=Component.EVENT_BROKER.value)) == replicas

    eventually(f"{replicas} pods of the event broker", scaled, within=60, every=0.5)


def serves_instead(assistant: Assistant, engine: Json) -> bool:
    serving = [pod["metadata"]["uid"] for pod in assistant.serving()]
    if not serving or engine["metadata"]["uid"] in serving:
        raise NotYet(f"{len(serving)} engines serve")
    return True


def wait_topics(space: Space, more: str) -> None:
    """Until ingestion runs with exactly these further topics, and every part of the Studio works."""

    def told() -> bool:
        (deployment,) = space.list("deployments", component=Component.INGESTION.value)
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        env = {variable["name"]: variable.get("value", "") for variable in container["env"]}
        return bool(env.get("INGESTION_TOPICS", "") == more)

    eventually(f"ingestion is told of {more or 'no further topic'}", told, within=30)
    assistants.wait_studio_ready(space, within=ROLLED_OUT_WITHIN)
    eventually(
        "the pods before are gone",
        lambda: len(space.list("pods", component=Component.INGESTION.value)) == 1,
        within=ROLLED_OUT_WITHIN,
    )
