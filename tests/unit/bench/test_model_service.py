"""The pure parts of the measurements of the model service."""

import json
import random
from typing import Any

import kubernetes_validate
import pytest
from measuring import goals, model_swaps, model_warm
from measuring.model_order import misplaced, moment, overtaken
from measuring.model_requests import bare_job
from measuring.model_rest import used_seconds
from measuring.model_stage import Watched
from measuring.model_swaps import GREETINGS, Talk


def view(name: str, **rest: Any) -> dict[str, Any]:
    """A training requested at second 0 unless told otherwise; moments are given in seconds."""
    moments = {"requested_at": 0, "started_at": None, **rest}
    told = {
        key: f"2026-01-01T00:00:{value:02d}Z" if key.endswith("_at") and value is not None else value
        for key, value in moments.items()
    }
    return {"id": name, "priority": 0, "position": None, **told}


def test_a_line_in_order_is_right_however_it_is_listed() -> None:
    line = [
        view("high", priority=5, requested_at=9, position=1),
        view("old", requested_at=1, position=2),
        view("new", requested_at=2, position=3),
        view("claimed-meanwhile", requested_at=0),
    ]
    random.Random(1).shuffle(line)
    assert misplaced(line) == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ([view("a", position=1), view("b", position=3)], ["b is 3"]),
        ([view("a", position=1), view("b", position=1)], ["b is 1"]),
        (
            [view("new", requested_at=2, position=1), view("old", requested_at=1, position=2)],
            ["old stands behind new"],
        ),
        ([view("low", position=1), view("high", priority=1, position=2)], ["high stands behind low"]),
    ],
)
def test_what_is_wrong_with_a_line_is_told(line: list[dict[str, Any]], told: list[str]) -> None:
    assert misplaced(line) == told


def test_who_began_in_turn_overtook_nobody() -> None:
    line = [view("a", started_at=5), view("b", requested_at=1, started_at=6), view("c", requested_at=2)]
    assert overtaken(line, answered(a=1, b=2, c=3)) == []


def test_who_came_too_late_was_not_overtaken() -> None:
    """It was being written already, but nobody could see it."""
    line = [view("low", started_at=5), view("high", priority=1, requested_at=4, started_at=7)]
    assert overtaken(line, answered(low=1, high=6)) == []


def test_who_waits_while_a_lower_one_begins_was_overtaken() -> None:
    line = [view("low", started_at=5), view("high", priority=1, requested_at=1)]
    assert overtaken(line, answered(low=1, high=4)) == ["low began before high"]


def answered(**seconds: int) -> dict[str, float]:
    return {name: moment(f"2026-01-01T00:00:{second:02d}Z") for name, second in seconds.items()}


def talk(*records: dict[str, Any], sent: int) -> Talk:
    made = Talk()
    for record in [*records, {"sent": sent}]:
        made.note(json.dumps(record))
    return made


def heard(text: str, how: str = "new") -> dict[str, Any]:
    return {"how": how, "heard": [text], "seconds": 0.1}


def test_answers_of_either_model_are_no_failures() -> None:
    made = talk(heard(GREETINGS[0]), heard(GREETINGS[1], "kept"), sent=2)
    assert (made.failures, made.lost, made.seconds) == ([], 0, [0.1, 0.1])


def test_errors_empty_answers_and_silence_are_counted() -> None:
    failed = {"how": "kept", "failed": "reset", "seconds": 1.0}
    made = talk(failed, {"how": "new", "heard": [], "seconds": 0.1}, sent=3)
    assert made.failures == ["kept: reset", "new: []"]
    assert made.lost == 1


def test_the_first_answer_of_a_model_is_one_after_its_activation() -> None:
    made = talk(heard(GREETINGS[1]), sent=1)
    ((at, _),) = made.told
    assert made.first(GREETINGS[1], since=at - 1) == at
    assert made.first(GREETINGS[1], since=at) is None
    assert made.first(GREETINGS[0], since=0) is None


def pod(name: str) -> dict[str, Any]:
    return {"metadata": {"uid": name}}


def is_one(manifest: dict[str, Any]) -> bool:
    return bool(manifest == pod("one"))


async def test_a_watch_knows_when_it_heard_first_of_something() -> None:
    watched = Watched()
    for event, name in (("BOOKMARK", "one"), ("DELETED", "one"), ("ADDED", "two"), ("ADDED", "one")):
        watched.note(event, pod(name))
    assert [event for _, event, _ in watched.events] == ["DELETED", "ADDED", "ADDED"]
    assert await watched.first(is_one) == watched.events[2][0]
    with pytest.raises(TimeoutError):
        await watched.first(is_one, since=3, within=0)


async def test_a_watch_knows_what_is_gone() -> None:
    watched = Watched()
    watched.note("ADDED", pod("one"))
    with pytest.raises(TimeoutError):
        await watched.gone(is_one, within=0)
    watched.note("DELETED", pod("one"))
    await watched.gone(is_one)


def test_the_sender_is_a_program() -> None:
    compile(model_swaps._TALK, "sender", "exec")


def test_the_bare_job_has_one_image() -> None:
    pod = bare_job("bare-1", "bench", "engine:1")["spec"]["template"]["spec"]
    assert {container["image"] for container in [*pod["initContainers"], *pod["containers"]]} == {"engine:1"}


def test_time_on_the_cpu_is_that_of_user_and_system() -> None:
    before = "12 (a (strange) name) S 1 2 3 4 5 6 7 8 9 10"
    assert used_seconds(f"{before} 150 50 0 0") == pytest.approx(2.0)


def test_measures_are_told_apart_by_name() -> None:
    names = [goal.measure for goal in (*goals.FIRST_CHAT, *goals.STUDIO, *goals.MODEL_SERVICE)]
    assert len(set(names)) == len(names)


def test_the_light_content_of_the_warm_part_has_no_tensorflow_and_always_answers() -> None:
    config = model_warm.light("Hello.")["config.yml"]
    assert "LogisticRegressionClassifier" in config
    assert not any(word in config for word in ("DIET", "FallbackClassifier", "threshold"))
    assert "Hello." in model_warm.light("Hello.")["domain.yml"]
    assert "DIETClassifier" in model_warm.diet("Hello.")["config.yml"]


def test_the_bare_engine_of_the_warm_part_is_a_job_that_kubernetes_knows() -> None:
    engine = {"image": "engine:1", "resources": {"limits": {"memory": "2Gi"}}}
    job = model_warm.bare_job("porter", "ns", engine, puts=1)
    kubernetes_validate.validate(job, "1.34", strict=True)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == engine["resources"]
    compile(container["command"][-1], "bare", "exec")
