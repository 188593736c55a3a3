"""Five hundred trainings requested at once: whether any is refused, and whether the line is what it is said to be."""

import asyncio
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from measuring import model_order, model_stage
from measuring.model_stage import Refused, Trainings
from stage.kubectl import Kubectl
from studio_e2e import assistants, content, manifests
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

TRAININGS = 500
REALLY_TRAINED = 8
PRIORITIES = (0, 5, 10)
CONTENT = "shared-content"
# So many objects in one call of kubectl, and so many requests on their way at the same moment.
BATCH = 100
AT_ONCE = 50
KNOWN_WITHIN = 900.0
TRAINED_WITHIN = 900.0
LOOK_SECONDS = 2.0


@dataclass
class Line:
    """What was seen of it; `seconds` from the first request to the last answer."""

    refused: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)
    overtaken: list[str] = field(default_factory=list)
    looks: int = 0
    trained: int = 0
    seconds: float = 0.0


def line(kubectl: Kubectl, *, count: int = TRAININGS, trained: int = REALLY_TRAINED) -> Line:
    """Request `count` at once, look at the line until the first `trained` are, then cancel the rest."""
    with model_stage.namespace(kubectl, "queue") as space:
        # Nothing runs here: five hundred slots are more pods than a node may have.
        slots = {"policy": "Fixed", "consumers": 1}
        space.apply(manifests.studio(training={"consumers": 2}, running=slots))
        space.apply(manifests.config_map(CONTENT, content.porter()))
        names = [f"porter-{number:03d}" for number in range(count)]
        for first in range(0, count, BATCH):
            space.apply(*(_assistant(name, number) for number, name in enumerate(names[first : first + BATCH], first)))
        eventually("all assistants are known", lambda: _all_known(space, names), within=KNOWN_WITHIN, every=5)
        assistants.wait_studio_ready(space)
        return asyncio.run(_line(space, names, trained))


def _tell(progress: str) -> None:
    print(f"queue: {progress}", file=sys.stderr, flush=True)


def _assistant(name: str, number: int) -> assistants.Manifest:
    training = {"trigger": "Manual", "priority": PRIORITIES[number % len(PRIORITIES)]}
    source = manifests.from_config_map(CONTENT)
    return manifests.small_assistant(name, source, training=training, running={"mode": "Never"})


def _all_known(space: Space, names: Sequence[str]) -> bool:
    known = [item for item in space.list("assistants") if _waits_for_request(item)]
    _tell(f"{len(known)} of {len(names)} assistants are known")
    if len(known) < len(names):
        raise NotYet(f"{len(known)} of {len(names)}")
    return True


def _waits_for_request(item: assistants.Manifest) -> bool:
    conditions = item.get("status", {}).get("conditions", [])
    return any(c["type"] == "Trained" and c["reason"] == "NotRequested" for c in conditions)


async def _line(space: Space, names: Sequence[str], trained: int) -> Line:
    found = Line()
    async with model_stage.trainings(space) as api:
        began = time.monotonic()
        answered = await _request_all(api, names, found)
        found.seconds = time.monotonic() - began
        async with asyncio.timeout(TRAINED_WITHIN):
            while found.trained < trained:
                views = await api.all()
                found.looks += 1
                found.misplaced += model_order.misplaced(views)
                found.trained = sum(view["state"] == "Succeeded" for view in views)
                _tell(f"{found.trained} of {trained} trained, positions looked at {found.looks} times")
                await asyncio.sleep(LOOK_SECONDS)
        found.overtaken = model_order.overtaken(await api.all(), answered)
        await _cancel_all(api, answered)
    return found


async def _request_all(api: Trainings, names: Sequence[str], found: Line) -> dict[str, float]:
    """When each training was answered, by its id."""
    slots, answered = asyncio.Semaphore(AT_ONCE), {}

    async def request(name: str) -> None:
        async with slots:
            try:
                view = await api.request(name)
            except Refused as error:
                found.refused.append(str(error))
            else:
                answered[view["id"]] = time.time()

    await asyncio.gather(*(request(name) for name in names))
    return answered


async def _cancel_all(api: Trainings, made: Iterable[str]) -> None:
    slots = asyncio.Semaphore(AT_ONCE)

    async def cancel(item: str) -> None:
        async with slots:
            await api.cancel(item)

    await asyncio.gather(*(cancel(item) for item in made))
