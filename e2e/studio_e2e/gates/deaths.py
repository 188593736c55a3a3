"""Processes that die at the gates: before each of their writes, and after it.

Another pod comes for each that dies: the kubelet restarts a container that died twice after a pause only.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from studio_e2e import faults, processes
from studio_e2e.database import Database
from studio_e2e.gates.admission import AdmissionGate, HeldRequest
from studio_e2e.gates.database import DatabaseGate, HeldCommit
from studio_e2e.space import Space
from studio_e2e.waiting import TimedOut, eventually

Manifest = dict[str, Any]


@dataclass
class Deaths:
    """Kills whoever stands at a gate: at a step for the first time before the write, for the second time after it."""

    space: Space
    database: Database
    commits: DatabaseGate
    requests: AdmissionGate
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    def until(self, done: Callable[[], bool]) -> Callable[[], bool]:
        """A probe that kills whoever is at a gate; when nobody is, it asks whether all is `done`."""

        def probe() -> bool:
            commits, requests = self.commits.held(), self.requests.held()
            for commit in commits:
                self._meet_commit(commit)
            for request in requests:
                self._meet_request(request)
            return not commits and not requests and done()

        return probe

    def _meet_commit(self, held: HeldCommit) -> None:
        pod = self._pod(lambda pod: pod["status"].get("podIP") == held.address)
        if pod is None or held.step in self.after:
            # Whoever began it is dead already, or has died of it twice.
            self.commits.open_for(held.step) if pod else self.commits.roll_back(held)
            return
        faults.lose(self.space, pod)
        if held.step in self.before:
            self.after.append(held.step)
            self.commits.open_for(held.step)
        else:
            self.before.append(held.step)
            self.commits.roll_back(held)
        self.commits.wait_gone(held)
        self._let_time_pass(pod)

    def _meet_request(self, held: HeldRequest) -> None:
        pod = self._pod(lambda pod: pod["metadata"]["name"] == held.pod)
        if pod is None or held.step in self.after:
            held.allow()
            return
        if held.step in self.before:
            self.after.append(held.step)
            self._stop_after(pod, held)
            faults.lose(self.space, pod)
        else:
            self.before.append(held.step)
            faults.lose(self.space, pod)
            held.refuse(503, "ServiceUnavailable", "whoever asked is dead")
        self._let_time_pass(pod)

    def _stop_after(self, pod: Manifest, held: HeldRequest) -> None:
        """Let the write be stored while whoever asked for it stands still: it will never hear of it."""
        for process in processes.of_pod(pod["metadata"]["uid"]):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGSTOP)
        held.allow()
        with suppress(TimedOut):
            eventually("it is stored", lambda: self._is_stored(held), within=2, every=0.05)

    def _is_stored(self, held: HeldRequest) -> bool:
        request = held.request
        name = request.get("name") or request["object"]["metadata"]["name"]
        live = self.space.get(request["resource"]["resource"], name)
        if request["operation"] == "DELETE":
            return live is None or "deletionTimestamp" in live["metadata"]
        known = (request.get("oldObject") or {}).get("metadata", {}).get("resourceVersion")
        return live is not None and live["metadata"]["resourceVersion"] != known

    def _let_time_pass(self, pod: Manifest) -> None:
        """Until the lease of the dead is over, and until the others look again at what was left behind."""
        expire = "update items set lease_until = now() where holder = $1"
        self.database.execute(expire, pod["metadata"]["name"])
        self.database.wake_consumers()

    def _pod(self, fits: Callable[[Manifest], bool]) -> Manifest | None:
        return next((pod for pod in self.space.list("pods") if fits(pod)), None)
