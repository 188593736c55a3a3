"""The log of a training or a run as events: from its pod while that is there, from the store once it has ended.

An event's id is `<attempt>.<line>`. Live and archived lines have the same numbers, because both are cleaned alike, so a
reader that lost the connection goes on where it was, whatever has become of the item meanwhile. Lines are counted from
the first one that the cluster still has: where an engine wrote more than that, such a reader may miss some.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from studio.contract import labels, names
from studio.http import streams
from studio.http.problems import Refused
from studio.http.subscriptions import Subscription
from studio.kube import POD, Invalid, Kube, KubeError, Manifest, NotFound
from studio.model_service.engine_log import Cleaner
from studio.model_service.items import Item, Kind
from studio.model_service.jobs.run import ENGINE
from studio.model_service.jobs.training import TRAIN

log = structlog.get_logger(__name__)

# How soon a pod is looked for again: nobody notifies of pods.
LOOK_SECONDS = 1.0
_POSITION = re.compile(r"([0-9]{1,6})\.([0-9]{1,9})")
LONGEST_LINE = 64 * 1024

# By which label the pods of an item are found, and which of their containers is the engine.
_LABEL: dict[Kind, str] = {"training": labels.TRAINING, "run": labels.RUN}
_CONTAINER: dict[Kind, str] = {"training": TRAIN, "run": ENGINE}

Find = Callable[[], Awaitable[Item]]
Read = Callable[[Item], Awaitable[bytes]]


@dataclass
class Position:
    """The last line that a reader has: its attempt and number, both from 1; (0, 0) before the first."""

    attempt: int = 0
    line: int = 0

    @classmethod
    def parse(cls, text: str | None) -> "Position":
        """The position of an event's id; the beginning for what is none."""
        found = _POSITION.fullmatch(text or "")
        return cls(int(found[1]), int(found[2])) if found else cls()

    def passes(self, attempt: int, line: int) -> bool:
        """Whether a line is new to the reader; it counts as read then."""
        if (attempt, line) <= (self.attempt, self.line):
            return False
        self.attempt, self.line = attempt, line
        return True


@dataclass
class Numbered:
    """Raw pieces of one attempt's log as cleaned lines with their numbers."""

    attempt: int
    _cleaner: Cleaner = field(default_factory=Cleaner)
    _rest: bytes = b""
    _number: int = 0

    def feed(self, piece: bytes, *, last: bool = False) -> list[tuple[int, str]]:
        """The lines that are complete with one more piece; with `last` also the one that nothing will complete."""
        *raw, self._rest = (self._rest + piece).split(b"\n")
        # A progress bar is one endless line; only its last state counts.
        self._rest = self._rest[-LONGEST_LINE:]
        if last and self._rest:
            raw, self._rest = [*raw, self._rest], b""
        lines = [line for each in raw for line in self._cleaner.lines(each.decode(errors="replace"))]
        numbered = list(enumerate(lines, self._number + 1))
        self._number += len(lines)
        return numbered


class LiveLog:
    """Logs of items; `kube` None: only archived ones."""

    def __init__(self, kube: Kube | None, *, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace

    async def events(
        self, find: Find, read: Read, last_event_id: str | None, changes: Subscription, closing: asyncio.Event
    ) -> AsyncIterator[str]:
        """Events `line` after the last one seen, then `end` with the final state. `changes` wakes it."""
        position = Position.parse(last_event_id)
        done: set[str] = set()
        yield streams.CONNECTED
        while not closing.is_set():
            item = await find()
            if item.final:
                async for event in _archived(item, read, position):
                    yield event
                yield _end(item.state)
                return
            pod = await self._pod(item, done)
            if pod is not None:
                async for event in self._follow(item, pod, position, done, closing):
                    yield event
            await changes.wait(LOOK_SECONDS, closing)

    async def _pod(self, item: Item, done: set[str]) -> str | None:
        """The pod of the current attempt whose engine has begun; None while there is none to be read."""
        if self._kube is None or item.state == "Queued":
            return None
        selector = f"{_LABEL[item.kind]}={item.id},{labels.ATTEMPT}={item.attempt}"
        try:
            pods = await self._kube.list(POD, self._namespace, labels=selector)
        except KubeError as error:
            log.warning("the pods of an item cannot be listed", item=item.id, error=str(error))
            return None
        own = [
            pod
            for pod in pods
            if _belongs(pod, item) and _has_begun(pod, item.kind) and pod["metadata"]["name"] not in done
        ]
        newest = max(own, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), default=None)
        return None if newest is None else str(newest["metadata"]["name"])

    async def _follow(
        self, item: Item, pod: str, position: Position, done: set[str], closing: asyncio.Event
    ) -> AsyncIterator[str]:
        """The lines of one pod until its engine ends; a broken stream is followed again, from where it was."""
        if self._kube is None:
            return
        numbered = Numbered(item.attempt)
        pieces = self._kube.follow_logs(self._namespace, pod, _CONTAINER[item.kind])
        try:
            async for piece in streams.with_heartbeats(pieces, closing):
                if piece is None:
                    yield streams.HEARTBEAT
                    continue
                for number, line in numbered.feed(piece):
                    if position.passes(item.attempt, number):
                        yield _line(item.attempt, number, line)
        except (NotFound, Invalid):
            return
        except KubeError as error:
            log.info("the log of a pod broke", pod=pod, error=str(error))
            return
        for number, line in numbered.feed(b"", last=True):
            if position.passes(item.attempt, number):
                yield _line(item.attempt, number, line)
        done.add(pod)


async def _archived(item: Item, read: Read, position: Position) -> AsyncIterator[str]:
    try:
        text = await read(item)
    except Refused:
        return  # nothing was archived: it ended before its engine began
    for number, line in Numbered(item.attempt).feed(text, last=True):
        if position.passes(item.attempt, number):
            yield _line(item.attempt, number, line)


def _belongs(pod: Manifest, item: Item) -> bool:
    """Whether the pod is one of the Job of the current attempt, whatever labels it carries."""
    job = names.job(item.id, item.attempt)
    owners = pod["metadata"].get("ownerReferences") or []
    return any(owner.get("kind") == "Job" and owner.get("name") == job for owner in owners)


def _has_begun(pod: Manifest, kind: Kind) -> bool:
    """Whether the engine's container runs or has run: before, there is no log to be read."""
    status = pod.get("status") or {}
    containers = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    states = [each.get("state") or {} for each in containers if each.get("name") == _CONTAINER[kind]]
    return any("running" in state or "terminated" in state for state in states)


def _line(attempt: int, number: int, line: str) -> str:
    return streams.event(streams.json_of({"line": line}), name="line", id=f"{attempt}.{number}")


def _end(state: str) -> str:
    return streams.event(streams.json_of({"state": state}), name="end")
