"""Processes that die at the gates, before and after their writes.

Another pod comes for each that dies: the kubelet restarts a container that died twice after a pause only.
"""

import os
import signal
from collections.abc import Callable, Collection
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
    """Kills whoever stands at a gate: each of `processes` before its first write, and after every one.

    What it leaves behind before any other write is what it left after the last one.
    """

    space: Space
    database: Database
    commits: DatabaseGate
    requests: AdmissionGate
    processes: Collection[str]
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
        if pod is None:
            # Whoever began it is dead already.
            self.commits.roll_back(held)
        elif self._passes(held.step):
            self.commits.open_for(held.step)
        else:
            faults.lose(self.space, pod)
            if self._is_first(held.step):
                self.before.append(held.step)
                self.commits.roll_back(held)
            else:
                self.after.append(held.step)
                self.commits.open_for(held.step)
            self.commits.wait_over(held)
            self._let_time_pass(pod)

    def _meet_request(self, held: HeldRequest) -> None:
        pod = self._pod(lambda pod: pod["metadata"]["name"] == held.pod)
        if pod is None or self._passes(held.step):
            held.allow()
            return
        if self._is_first(held.step):
            self.before.append(held.step)
            faults.lose(self.space, pod)
            held.refuse(503, "ServiceUnavailable", "whoever asked is dead")
        else:
            self.after.append(held.step)
            self._stop_after(pod, held)
            faults.lose(self.space, pod)
        self._let_time_pass(pod)

    def _passes(self, step: str) -> bool:
        return step in self.after or process_of(step) not in self.processes

    def _is_first(self, step: str) -> bool:
        return process_of(step) not in map(process_of, self.before)

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
        # Who stands at the gate with such a row would hold this up, too.
        free = "select id from items where holder = $1 for update skip locked"
        expire = f"update items set lease_until = now() where id in ({free})"
        self.database.execute(expire, pod["metadata"]["name"])
        self.database.wake_consumers()

    def _pod(self, fits: Callable[[Manifest], bool]) -> Manifest | None:
        return next((pod for pod in self.space.list("pods") if fits(pod)), None)


def process_of(step: str) -> str:
    """Whose step it is; a consumer has one name in the database and another one at the API server."""
    return step.partition(" ")[0]
