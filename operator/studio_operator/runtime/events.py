"""Kubernetes events about custom resources, as `kubectl describe` shows them."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from studio.kube import EVENT, AlreadyExists, Kube, KubeError, Manifest
from studio_operator.runtime import metrics
from studio_operator.runtime.gate import NotLeader, WriteGate

log = structlog.get_logger(__name__)

COMPONENT = "studio-operator"
MESSAGE_MAX = 1024
# The same event is not written again within this time, and counted up afterwards; the server forgets it after an hour.
QUIET_SECONDS = 300.0
REMEMBERED = 1024


class EventRecorder:
    """The `Recorder` of the reconcile. One object per (resource, reason, message), however often it happens."""

    def __init__(
        self,
        kube: Kube,
        gate: WriteGate,
        *,
        instance: str,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._kube = kube
        self._gate = gate
        self._instance = instance
        self._clock = clock
        self._now = now
        self._told: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def record(self, about: Manifest, *, reason: str, message: str, warning: bool) -> None:
        """Publish one event; never raises, an event is not worth a failed pass."""
        text = _cut(message)
        name = _name(about, reason, text)
        last, count = self._told.get(name, (float("-inf"), 0))
        if self._clock() - last < QUIET_SECONDS:
            metrics.EVENTS.labels("folded").inc()
            return
        body = self._event(about, name, reason, text, warning=warning)
        try:
            async with self._gate.guard():
                await self._publish(body, count + 1)
        except (KubeError, NotLeader) as error:
            metrics.EVENTS.labels("error").inc()
            log.debug("event was not published", reason=reason, error=str(error))
            return
        metrics.EVENTS.labels("published").inc()
        self._told[name] = (self._clock(), count + 1)
        self._told.move_to_end(name)
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)

    async def _publish(self, body: Manifest, count: int) -> None:
        try:
            await self._kube.create(EVENT, body)
        except AlreadyExists:
            metadata = body["metadata"]
            again = {"count": max(count, 2), "lastTimestamp": body["lastTimestamp"]}
            await self._kube.patch(EVENT, metadata["namespace"], metadata["name"], again)

    def _event(self, about: Manifest, name: str, reason: str, message: str, *, warning: bool) -> Manifest:
        metadata = about["metadata"]
        moment = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": metadata["namespace"], "name": name},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message,
            "action": "Reconcile",
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._instance,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }


def _name(about: Manifest, reason: str, message: str) -> str:
    digest = hashlib.sha256("\n".join((about["metadata"]["uid"], reason, message)).encode()).hexdigest()[:16]
    return f"{about['metadata']['name']}.{digest}"


def _cut(message: str) -> str:
    return message if len(message) <= MESSAGE_MAX else message[: MESSAGE_MAX - 1] + "…"
