"""The scenarios of the first chat, each on namespaces of its own on a running cluster."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from measuring import cluster_facts, figures
from stage.kubectl import Kubectl
from studio.cli import project
from studio.contract import names
from studio.contract.labels import Component
from studio_e2e import assistants, content, faults, manifests
from studio_e2e.assistants import Assistant
from studio_e2e.space import Space, is_ready
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]

CONSUMERS = [Component.TRAINING_CONSUMER.value, Component.RUNNING_CONSUMER.value]
ORCHESTRATORS = [Component.TRAINING_ORCHESTRATOR.value, Component.RUNNING_ORCHESTRATOR.value]
SETTLE_SECONDS = 45.0
ARRIVES_WITHIN = 300.0
RESTING = 10
# The operator's slow pass comes every 300 s, give or take a tenth, and spreads its work over the 30 s after it.
REST_SECONDS = 360.0


@dataclass(frozen=True)
class Sample:
    """What the arrivals are measured with: the name of an assistant, and the text of its files by their paths."""

    name: str
    files: Mapping[str, str]


def concert_hall() -> Sample:
    """The assistant of examples/."""
    return Sample(content.HALL.name, content.hall())


def sample(folder: Path) -> Sample:
    """The assistant in a folder, by the folder's name. Raises Refused where there is none, or what cannot be one."""
    return Sample(folder.resolve().name, project.read(folder).content)


def in_config_map(name: str, files: Mapping[str, str]) -> tuple[Manifest, Manifest]:
    """A ConfigMap of files, and the source that puts each in its place: keys have no slashes. Pure."""
    keys = {path: f"{number}-{PurePosixPath(path).name}" for number, path in enumerate(sorted(files))}
    items = [{"key": key, "path": path} for path, key in keys.items()]
    data = {key: files[path] for path, key in keys.items()}
    return manifests.config_map(name, data), {"configMaps": [{"name": name, "items": items}]}


@contextmanager
def namespace(kubectl: Kubectl, purpose: str) -> Iterator[Space]:
    """A namespace that is gone at the end: the next scenario has the machine for itself."""
    space = Space.make(kubectl, purpose)
    try:
        yield space
    finally:
        space.remove()


@dataclass(frozen=True)
class Arrivals:
    """Seconds from the apply to Ready, requested cores, and the end state.

    `engine` is what one engine requests: a warm one in the spare slot adds as much, and yields where there is no room.
    """

    first: float
    second: float
    cores: Decimal
    engine: Decimal
    state: list[str]


def arrivals(kubectl: Kubectl, what: Sample) -> Arrivals:
    """An assistant, without an action server and with default resources, applied twice into one namespace."""
    with namespace(kubectl, "bench") as space:
        first, _ = arrive(space, what.name, what.files)
        assistants.wait_studio_ready(space)
        state = figures.end_state(cluster_facts.everything(space))
        second, training = arrive(space, f"{what.name}-too", what.files)
        eventually("all slots are there", lambda: _ready_pods(space, CONSUMERS) == 4, within=60)
        time.sleep(SETTLE_SECONDS)
        cores = sum((figures.cpu_request(pod) for pod in _lasting_pods(space)), training)
        engine = max(figures.cpu_request(pod) for pod in space.list("pods", component=Component.RUN.value))
        return Arrivals(first, second, cores, engine, state)


def arrive(space: Space, name: str, files: Mapping[str, str] | None = None) -> tuple[float, Decimal]:
    """Apply an assistant (without files: the concert hall).

    Gives the seconds until it is Ready, and the cores that its training's pod requested.
    """
    assistant, training = Assistant(space, name), [Decimal(0)]
    start = _apply(space, name, content.hall() if files is None else files)

    def ready() -> bool:
        pods = space.list("pods", component=Component.TRAINING.value, assistant=name)
        training.extend(figures.cpu_request(pod) for pod in pods)
        return _is_ready(assistant)

    eventually(f"{name} is Ready", ready, within=ARRIVES_WITHIN, every=0.5)
    seconds, cores = time.monotonic() - start, max(training)
    assert cores > 0, f"the pod that trained {name} was never seen, or requests no CPU"
    return seconds, cores


def _apply(space: Space, name: str, files: Mapping[str, str]) -> float:
    """Apply an assistant whose content is there already; the moment before it, on the monotonic clock."""
    config_map, source = in_config_map(f"{name}-content", files)
    space.apply(config_map)
    start = time.monotonic()
    space.apply(manifests.assistant(name, language="en", source=source))
    return start


def _is_ready(assistant: Assistant) -> bool:
    if assistant.conditions.get("Ready", {}).get("status") != "True":
        raise NotYet(assistants.summary(assistant.live()))
    return True


def _ready_pods(space: Space, components: list[str]) -> int:
    return sum(is_ready(pod) for component in components for pod in space.list("pods", component=component))


def _lasting_pods(space: Space) -> list[Manifest]:
    pods = [pod for pod in space.list("pods") if pod["status"]["phase"] == "Running"]
    passing = (Component.TRAINING, Component.MIGRATION)
    return [pod for pod in pods if pod["metadata"]["labels"].get("app.kubernetes.io/component") not in passing]


def _memory(space: Space) -> dict[str, list[float]]:
    home = cluster_facts.operator_home(space)
    memory = {"operator": [cluster_facts.memory(home, pod).resident for pod in faults.operator_pods(home)]}
    for component in [*CONSUMERS, *ORCHESTRATORS]:
        pods = space.list("pods", component=component)
        memory[component] = [cluster_facts.memory(space, pod).resident for pod in pods]
    return memory


@dataclass(frozen=True)
class Rest:
    """Requests to the API server per second of our processes in so many `seconds`, and what they were.

    `everybody`: the writes of all clients by resource, None where the API server does not say. `memory` is in MiB, of
    every pod, by component.
    """

    seconds: float
    reads: float
    writes: float
    detail: str
    everybody: Counter[str] | None
    memory: dict[str, list[float]]


# What somebody does to a child; it gives whether that has been repaired.
Damage = Callable[[Space], Callable[[], bool]]


def at_rest(kubectl: Kubectl, *, count: int = RESTING, seconds: float = REST_SECONDS) -> Rest:
    """Assistants that run and answer, left alone until the operator has looked at all of them without a reason."""
    with namespace(kubectl, "rest") as space:
        space.apply(manifests.small_studio())
        resting = [Assistant(space, f"porter-{number}") for number in range(count)]
        for assistant in resting:
            assistant.apply_with_content(content.porter())
        for assistant in resting:
            assistant.wait_ready(within=900)
        time.sleep(SETTLE_SECONDS)
        start, before, all_before = time.monotonic(), _requests(space), cluster_facts.writes_of_all_clients(space)
        time.sleep(seconds)
        # To ask them all takes seconds, the first time and the last: each is asked again after as long.
        lasted = time.monotonic() - start
        made, all_after = _requests(space) - before, cluster_facts.writes_of_all_clients(space)
        by_sort = {sort: sum(n for (kind, _), n in made.items() if kind == sort) for sort in ("read", "write")}
        detail = ", ".join(f"{n} {what}" for (_, what), n in sorted(made.items(), key=lambda item: -item[1]))
        everybody = None if all_before is None or all_after is None else all_after - all_before
        return Rest(lasted, by_sort["read"] / lasted, by_sort["write"] / lasted, detail, everybody, _memory(space))


def _requests(space: Space) -> Counter[tuple[str, str]]:
    return cluster_facts.our_requests(space, [*CONSUMERS, *ORCHESTRATORS, Component.BACKEND.value])


def repairs(kubectl: Kubectl, *, count: int = 80) -> list[float]:
    """Seconds until each of `count` damages to children of a Studio and an Assistant, in turn, is repaired."""
    with namespace(kubectl, "drift") as space:
        space.apply(manifests.studio())
        assistants.wait_studio_ready(space)
        idle = Assistant(space, IDLE)
        idle.set_content(content.porter())
        # Nothing trains or runs. Its action server is a Deployment all the same, whose image nobody has.
        idle.apply(
            manifests.from_config_map(f"{IDLE}-content"), running={"mode": "Never"}, training={"trigger": "Manual"},
            actions={"image": "registry.invalid/nobody/actions:0"},
        )  # fmt: skip
        for kind, name in DELETED:
            eventually(f"{kind} {name}", partial(space.get, kind, name), within=60)
        deletions = (partial(faults.delete, kind, name) for kind, name in DELETED)
        damages: list[Damage] = [_scaled, _edited, _led_astray, *deletions]
        return [_seconds_to_repair(space, damages[number % len(damages)]) for number in range(count)]


IDLE = "idle"
DELETED = (
    ("service", "studio-running-orchestrator"),
    ("rolebinding", "studio-running-consumer"),
    ("deployment", "studio-running-consumer"),
    ("serviceaccount", "studio-training"),
    ("configmap", "studio-entry-proxy"),
    ("service", IDLE),
    ("deployment", names.child_of_assistant(IDLE, Component.ACTIONS)),
)


def _seconds_to_repair(space: Space, damage: Damage) -> float:
    repaired = damage(space)
    start = time.monotonic()
    eventually("repaired", repaired, within=60, every=0.05)
    return time.monotonic() - start


def _scaled(space: Space) -> Callable[[], bool]:
    wanted = assistants.slots(space)
    space.patch("deployment", "studio-running-consumer", {"spec": {"replicas": wanted + 2}})
    return lambda: assistants.slots(space) == wanted


def _edited(space: Space) -> Callable[[], bool]:
    name = "studio-training-orchestrator"
    wanted = space.must_get("service", name)["spec"]["ports"]
    space.patch("service", name, {"spec": {"ports": [{**wanted[0], "port": 9999}]}})
    return lambda: bool(space.must_get("service", name)["spec"]["ports"] == wanted)


def _led_astray(space: Space) -> Callable[[], bool]:
    wanted = space.must_get("service", IDLE)["spec"]["selector"]
    space.patch("service", IDLE, {"spec": {"selector": {"somebody": "else"}}})
    return lambda: bool(space.must_get("service", IDLE)["spec"]["selector"] == wanted)


@dataclass(frozen=True)
class Survival:
    """One first apply during which the operator was killed; `differences` from the undisturbed end state.

    The moments are those of the kills, in seconds since the apply.
    """

    moments: list[float]
    seconds: float
    differences: list[str]


def survive(kubectl: Kubectl, what: Sample, undisturbed: list[str], planned: list[float]) -> Survival:
    """The first arrival again, with the operator killed at these moments (seconds since the apply).

    While its container waits for its next start there is nothing to kill: that kill comes as soon as it runs again.
    """
    home = Space(kubectl, faults.OPERATOR_NAMESPACE)
    faults.renew_operator(home)
    with namespace(kubectl, "kills") as space:
        assistant, left, moments = Assistant(space, what.name), sorted(planned), list[float]()
        start = _apply(space, what.name, what.files)

        def ready() -> bool:
            if left and time.monotonic() - start > left[0] and faults.kill_operator(home):
                left.pop(0)
                moments.append(time.monotonic() - start)
            return not left and _is_ready(assistant)

        eventually("Ready in spite of the kills", ready, within=2 * ARRIVES_WITHIN)
        seconds = time.monotonic() - start
        return Survival(moments, seconds, _differences(space, undisturbed))


def _differences(space: Space, undisturbed: list[str]) -> list[str]:
    """What is left of them once the namespace had a minute to come to rest, as the undisturbed one had."""
    found: list[str] = []

    def same() -> bool:
        state = figures.end_state(cluster_facts.everything(space))
        found[:] = figures.differences(undisturbed, state)
        return not found

    try:
        eventually("the end state is the same", same, within=60)
    except AssertionError:
        return found
    return []


def moments_of(kills: int, applies: int, *, within: float, seed: int) -> list[list[float]]:
    """Random moments, spread evenly over the applies and over the time of a first apply. Pure."""
    chance = random.Random(seed)
    step = within / kills
    drawn = [number * step + chance.uniform(0, step) for number in range(kills)]
    return [drawn[number::applies] for number in range(applies)]
