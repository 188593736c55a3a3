"""Leadership by a Lease: one process works, others wait.

As in client-go's leaderelection, nobody's wall clock is trusted: a waiting process takes the lease over when it has
seen it unchanged for its whole duration by its own monotonic clock, and the holder stops writing a good while earlier.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from studio.kube import LEASE, AlreadyExists, Conflict, Kube, KubeError, Manifest
from studio_operator.runtime import metrics
from studio_operator.runtime.gate import WriteGate

log = structlog.get_logger(__name__)

DURATION_SECONDS = 15
RENEW_SECONDS = 5.0
# The holder gives up this long after its last renewal; 5 s are left for a write that is already on its way.
HOLD_SECONDS = 10.0
RETRY_SECONDS = 2.0


class LeaseLost(Exception):
    """Somebody else holds the lease, or it could not be renewed in time: this process must end."""


class LeaderElection:
    """Competes for one Lease as `identity`, and keeps the write gate open while it holds it."""

    def __init__(
        self,
        kube: Kube,
        gate: WriteGate,
        *,
        namespace: str,
        name: str,
        identity: str,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kube = kube
        self._gate = gate
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._mine: Manifest | None = None
        self._seen = ""
        self._seen_at = 0.0
        self.last_contact = clock()

    async def acquire(self) -> None:
        """Wait until the lease is ours."""
        holder = None
        while True:
            began = self._clock()
            try:
                live = await self._kube.get(LEASE, self._namespace, self._name)
                self.last_contact = self._clock()
                # After an answer that came late, too little of the lease is left to live until its first renewal.
                if await self._take(live, began) and self._gate.remaining > RENEW_SECONDS:
                    log.info("leading", identity=self._identity, after=holder)
                    metrics.LEADER.set(1)
                    return
                if live and holder != (holder := _holder(live)):
                    log.info("following", leader=holder)
            except (AlreadyExists, Conflict):
                log.debug("lease was taken by somebody faster")
            except KubeError as error:
                log.warning("lease could not be read or taken", error=str(error))
            await self._sleep(RETRY_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 not a secret

    async def hold(self) -> None:
        """Renew until cancelled. Raises LeaseLost; from then on the gate is closed."""
        try:
            while True:
                await self._sleep(RENEW_SECONDS)
                await self._renew_in_time()
        finally:
            metrics.LEADER.set(0)
            self._gate.close()

    async def release(self) -> None:
        """Give the lease back, so that a successor need not wait for it to run out. Never raises KubeError."""
        self._gate.close()
        metrics.LEADER.set(0)
        if self._mine is None:
            return
        body, self._mine = self._mine, None
        try:
            await self._kube.replace(LEASE, {**body, "spec": {**body["spec"], "holderIdentity": ""}})
        except KubeError as error:
            log.warning("lease was not released", error=str(error))

    def complaints(self, silence: float) -> list[str]:
        """What is wrong with the competition: the API server did not answer for `silence` seconds."""
        age = self._clock() - self.last_contact
        return [f"the API server has not answered for {age:.0f} s"] if age > silence else []

    async def _take(self, live: Manifest | None, began: float) -> bool:
        """Take what is free. Raises AlreadyExists or Conflict when somebody else was faster."""
        if live is None:
            body = {
                "apiVersion": LEASE.api_version,
                "kind": LEASE.kind,
                "metadata": {"namespace": self._namespace, "name": self._name},
                "spec": self._spec(transitions=0),
            }
            self._keep(await self._kube.create(LEASE, body), began)
            return True
        if not self._free(live):
            return False
        transitions = int(live.get("spec", {}).get("leaseTransitions") or 0) + 1
        body = {**live, "spec": self._spec(transitions=transitions)}
        self._keep(await self._kube.replace(LEASE, body), began)
        return True

    def _free(self, live: Manifest) -> bool:
        """Given back, our own from before a restart of this container, or unchanged for its whole duration."""
        if _holder(live) in ("", self._identity):
            return True
        version = live["metadata"]["resourceVersion"]
        if version != self._seen:
            self._seen, self._seen_at = version, self._clock()
            return False
        duration = float(live["spec"].get("leaseDurationSeconds") or DURATION_SECONDS)
        return self._clock() - self._seen_at > duration

    async def _renew_in_time(self) -> None:
        while True:
            if self._gate.remaining <= 0:
                raise LeaseLost("the lease could not be renewed in time")
            try:
                async with asyncio.timeout(self._gate.remaining):
                    await self._renew()
            except TimeoutError:
                continue
            except KubeError as error:
                log.warning("lease was not renewed", error=str(error), seconds_left=round(self._gate.remaining, 1))
                await self._sleep(min(RETRY_SECONDS, max(0.1, self._gate.remaining)))
            else:
                return

    async def _renew(self) -> None:
        """One write when nobody interfered. Raises LeaseLost when somebody else holds the lease."""
        if self._mine is None:
            raise LeaseLost("the lease was given back")
        began = self._clock()
        spec = {**self._mine["spec"], "renewTime": _micro_time(self._now())}
        try:
            self._keep(await self._kube.replace(LEASE, {**self._mine, "spec": spec}), began)
        except Conflict:
            live = await self._kube.get(LEASE, self._namespace, self._name)
            if live is None or _holder(live) != self._identity:
                raise LeaseLost(f"{_holder(live) if live else 'nobody'} holds the lease now") from None
            self._keep(await self._kube.replace(LEASE, {**live, "spec": spec}), began)

    def _keep(self, lease: Manifest, began: float) -> None:
        """The deadline counts from before the request: the server's clock started no earlier."""
        self._mine = lease
        self.last_contact = self._clock()
        self._gate.open_until(began + HOLD_SECONDS)

    def _spec(self, *, transitions: int) -> Manifest:
        moment = _micro_time(self._now())
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": DURATION_SECONDS,
            "acquireTime": moment,
            "renewTime": moment,
            "leaseTransitions": transitions,
        }


def _holder(lease: Manifest) -> str:
    return str(lease.get("spec", {}).get("holderIdentity") or "")


def _micro_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
