"""What queued runs are told of their wait."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.services.orchestrators.running_stage import add_model, make_ready, put
from tests.unit.services.orchestrators.world import UID, World

from studio.model_service import presence
from studio.model_service.items import Waiting
from studio.model_service.orchestrators.running.line import Line, Turn, turns
from studio.model_service.orchestrators.running.reconciler import Reconciler

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PATH = "/v1/assistants/concierge"


def waiting(position: int = 1, **more: Any) -> Waiting:
    return Waiting(f"r{position}", f"u{position}", position, **more)


@pytest.mark.parametrize(
    ("waits", "slots", "held", "leaving", "words"),
    [
        (waiting(), 3, 2, 0, "a free slot is about to take it"),
        (waiting(2), 3, 1, 0, "a free slot is about to take it"),
        (waiting(2), 3, 2, 0, "all free slots go to runs before it; 1 run waits before it"),
        (waiting(), 1, 1, 0, "the only slot holds a run; it is next"),
        (waiting(2), 2, 2, 0, "both slots hold runs; 1 run waits before it"),
        (waiting(3), 3, 3, 0, "all 3 slots hold runs; 2 runs wait before it"),
        (waiting(), 3, 3, 1, "a run that holds a slot is about to give it up"),
        (waiting(2), 3, 3, 1, "all 3 slots hold runs; 1 run waits before it"),
        (waiting(), 2, 3, 0, "both slots hold runs; it is next"),
        (waiting(), 0, 0, 0, "no running consumer is there"),
        (waiting(paused=True), 3, 0, 0, "its assistant is paused"),
        (
            waiting(retry_at=NOW + timedelta(seconds=40), message="no node has room"),
            3, 0, 0,
            "it is tried again at 12:00:40 UTC: no node has room",
        ),
        (waiting(retry_at=NOW + timedelta(seconds=40)), 3, 0, 0, "it is tried again at 12:00:40 UTC"),
    ],
)  # fmt: skip
def test_words(waits: Waiting, slots: int, held: int, leaving: int, words: str) -> None:
    assert turns(Line([waits], slots, held, leaving)) == {waits.id: Turn(waits.position, words)}


async def test_a_queued_run_tells_its_place_and_what_it_waits_for(studio: World, reconciler: Reconciler) -> None:
    await put(studio)
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    assert told((await put(studio))["newest"]) == (1, "no running consumer is there")
    await presence.tell(studio.made.pool, "run", "c0")
    queued = (await put(studio))["newest"]
    assert told(queued) == (1, "a free slot is about to take it")
    assert told((await studio.operator("GET", f"/v1/runs/{queued['id']}"))[1]) == told(queued)
    assert [told(run) for run in (await studio.operator("GET", "/v1/runs"))[1]] == [told(queued)]
    await make_ready(studio, "c0")
    assert told((await put(studio))["newest"]) == (None, "")


async def test_a_run_that_finds_no_slot_says_so(studio: World, reconciler: Reconciler) -> None:
    other = {"uid": "another", "name": "porter"}
    await put(studio)
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    held = await make_ready(studio, "c0")
    await reconciler.reconcile(UID)
    await put(studio, actions_url="http://other")
    await reconciler.reconcile(UID)
    await put(studio, **other)
    await studio.made.pool.execute(
        """insert into models (uid, version, fingerprint, sha256, size, members, object_key, engine_image, training)
           select 'another', version, fingerprint, sha256, size, members, object_key, engine_image, training
           from models"""
    )
    await reconciler.reconcile("another")
    # Who holds nothing goes first.
    assert told((await put(studio, **other))["newest"]) == (1, "the only slot holds a run; it is next")
    swap = (await put(studio, actions_url="http://other"))["newest"]
    assert told(swap) == (2, "the only slot holds a run; 1 run waits before it")
    status, started = await studio.operator("POST", f"{PATH}/run/start", json={"who": "ann"})
    assert (status, told(started)) == (200, told(swap))
    await studio.made.pool.execute("update items set stop_requested = true where id = $1", held.item.id)
    told_now = told((await put(studio, **other))["newest"])
    assert told_now == (1, "a run that holds a slot is about to give it up")


def told(run: dict[str, Any]) -> tuple[int | None, str]:
    return run["position"], run["waits_for"]
