"""What the measurements of the model service stand on: a namespace, the orchestrator's API, watches with their moments.

All moments are seconds of this machine's clock (time.time()).
"""

import asyncio
import contextlib
import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from cluster.errors import ClusterError
from measuring import cluster_facts
from stage.kubectl import Kubectl
from studio.contract import labels, names
from studio.contract.labels import Component
from studio.kube import Kube, KubeError
from studio.kube.kinds import Kind
from studio_e2e import faults, manifests
from studio_e2e.space import Space

Manifest = dict[str, Any]
View = dict[str, Any]
Event = tuple[float, str, Manifest]

WITHIN = 120.0
REFUSED = 400
_FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")
_TOKEN_HOURS = 2


@contextlib.contextmanager
def namespace(kubectl: Kubectl, purpose: str) -> Iterator[Space]:
    """A namespace `bench-<purpose>-<random>` that is gone at the end."""
    space = Space(kubectl, f"bench-{purpose}-{secrets.token_hex(2)}")
    kubectl.apply(json.dumps(manifests.namespace(space.name)))
    try:
        yield space
    finally:
        space.kubectl.run("delete", "namespace", space.name, "--ignore-not-found", "--wait=false")
        space.wait_gone(within=600)


class Refused(Exception):
    """The orchestrator's answer was an error; the text is its own."""


@dataclass(frozen=True)
class Trainings:
    """The API of the training orchestrator, asked as the operator asks it."""

    session: aiohttp.ClientSession

    async def request(self, assistant: str) -> View:
        """Ask for a training by hand. Raises Refused."""
        return await self._view("POST", "/v1/trainings", {"assistant": assistant})

    async def cancel(self, item: str) -> View:
        """End one. Raises Refused."""
        return await self._view("POST", f"/v1/trainings/{item}/cancel")

    async def get(self, item: str) -> View:
        """One as it is now. Raises Refused."""
        return await self._view("GET", f"/v1/trainings/{item}")

    async def all(self) -> list[View]:
        """The newest thousand. Raises Refused."""
        views: list[View] = await self._call("GET", "/v1/trainings?limit=1000")
        return views

    async def ended(self, item: str) -> View:
        """One that has come to its end, looked at until it has. Raises TimeoutError."""
        async with asyncio.timeout(WITHIN):
            while True:
                view = await self.get(item)
                if view["finished_at"]:
                    return view
                await asyncio.sleep(0.1)

    async def _view(self, method: str, path: str, body: Manifest | None = None) -> View:
        view: View = await self._call(method, path, body)
        return view

    async def _call(self, method: str, path: str, body: Manifest | None = None) -> Any:
        async with self.session.request(method, path, json=body) as answer:
            if answer.status >= REFUSED:
                raise Refused(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()


@contextlib.asynccontextmanager
async def trainings(space: Space) -> AsyncIterator[Trainings]:
    """The API behind a forwarded port."""
    home = cluster_facts.operator_home(space)
    lasts = f"--duration={_TOKEN_HOURS}h"
    token = home.run("create", "token", faults.OPERATOR, f"--audience={labels.AUDIENCE}", lasts).strip()
    service = names.child("studio", Component.TRAINING_ORCHESTRATOR)
    with _forwarded(space, f"service/{service}") as url:
        headers = {"authorization": f"Bearer {token}"}
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(url, headers=headers, timeout=timeout) as session:
            yield Trainings(session)


@contextlib.contextmanager
def _forwarded(space: Space, target: str) -> Iterator[str]:
    command = space.kubectl.command("-n", space.name, "port-forward", target, f":{labels.API_PORT}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            port = _FORWARDED.search(said)
            if port is None:
                raise ClusterError(f"no port was forwarded to {target}: {said.strip()}")
            yield f"http://127.0.0.1:{port[1]}"
        finally:
            process.terminate()


@contextlib.asynccontextmanager
async def kube(kubectl: Kubectl) -> AsyncIterator[Kube]:
    """The API server of the cluster at hand."""
    os.environ["KUBECONFIG"] = kubectl.kubeconfig
    opened = await Kube.connect(user_agent="bench")
    try:
        yield opened
    finally:
        await opened.close()


@dataclass
class Watched:
    """What a watch has told so far, in its order, each with the moment at which it was heard."""

    events: list[Event] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, event: str, manifest: Manifest) -> None:
        """Take in one event; a bookmark is none."""
        if event != "BOOKMARK":
            self.events.append((time.time(), event, manifest))
            self.heard.set()

    async def first(self, holds: Callable[[Manifest], bool], *, since: int = 0, within: float = WITHIN) -> float:
        """The moment of the first event, from the `since`-th on, whose object `holds`. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while True:
                self.heard.clear()
                for moment, event, manifest in self.events[since:]:
                    if event in ("ADDED", "MODIFIED") and holds(manifest):
                        return moment
                await self.heard.wait()

    async def gone(self, holds: Callable[[Manifest], bool], *, within: float = WITHIN) -> None:
        """Until the last that was heard of every object which `holds` is its deletion. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while True:
                self.heard.clear()
                last = {m["metadata"]["uid"]: event for _, event, m in self.events if holds(m)}
                if all(event == "DELETED" for event in last.values()):
                    return
                await self.heard.wait()


@contextlib.asynccontextmanager
async def watching(kube: Kube, kind: Kind, where: str, *, selector: str = "") -> AsyncIterator[Watched]:
    """A watch that goes on as long as the block runs."""
    watched = Watched()

    async def follow() -> None:
        while True:
            # What broke is begun anew: then everything there is comes once more, later than it came first.
            with contextlib.suppress(KubeError):
                async for event, manifest in kube.watch(kind, where, labels=selector, timeout_seconds=3600):
                    watched.note(event, manifest)

    following = asyncio.create_task(follow())
    try:
        yield watched
    finally:
        following.cancel()
