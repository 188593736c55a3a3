"""Requests of trainings, one at a time with a free consumer: how soon the Job is there, the engine runs, users know.

The trainings are cancelled as soon as they have shown what is measured.
"""

import asyncio
import datetime as dt
import random
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from measuring import model_stage
from measuring.model_stage import Trainings, Watched, watching
from stage.kubectl import Kubectl
from studio.contract import labels
from studio.kube import Kube
from studio.kube.kinds import ASSISTANT, JOB, POD
from studio_e2e import assistants, content
from studio_e2e.assistants import Assistant
from studio_e2e.space import Space

Manifest = dict[str, Any]

NOWHERE = {"studio-operator.io/bench": "no-node-has-this"}
ORDER = ("Queued", "Running", "Cancelled")
# Between requests, so that one is over for everybody before the next.
PAUSE_SECONDS = 0.5
BARE = "bare"


@dataclass
class Answered:
    """Seconds from each request to its Job, and from each change of state to the status that shows it."""

    to_job: list[float] = field(default_factory=list)
    to_status: list[float] = field(default_factory=list)


def answered(kubectl: Kubectl, *, count: int = 100) -> Answered:
    """Request the training of a small assistant `count` times; no node fits it, so that no engine takes the cores."""
    with model_stage.namespace(kubectl, "requests") as space:
        _manual_porter(space, nodeSelector=NOWHERE)
        return asyncio.run(_answered(kubectl, space, count))


async def _answered(kubectl: Kubectl, space: Space, count: int) -> Answered:
    found = Answered()
    async with (
        model_stage.kube(kubectl) as kube,
        model_stage.trainings(space) as api,
        watching(kube, JOB, space.name) as jobs,
        watching(kube, ASSISTANT, space.name) as status,
    ):
        for _ in range(count):
            began, seen = time.time(), len(jobs.events)
            item = (await api.request("porter"))["id"]
            found.to_job.append(await jobs.first(partial(_is_of, item=item), since=seen) - began)
            await status.first(partial(_reached, item=item, state="Running"))
            await api.cancel(item)
            view = await api.ended(item)
            for state, moment in zip(ORDER, ("requested_at", "started_at", "finished_at"), strict=True):
                shown = await status.first(partial(_reached, item=item, state=state))
                found.to_status.append(shown - _seconds(view[moment]))
            await asyncio.sleep(PAUSE_SECONDS)
    return found


@dataclass
class Starts:
    """Seconds from a request to the running engine, and from the creation of a bare Job to its running container."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)


def starts(kubectl: Kubectl, *, rounds: int = 12) -> Starts:
    """Trainings and bare Jobs in turn, each begun at any moment of the second.

    The kubelet looks once a second for containers that have ended. Begun when another pod is gone, which such a look
    has told, all would last whole seconds, and a few hundredths would decide about one more.
    """
    with model_stage.namespace(kubectl, "starts") as space:
        _manual_porter(space)
        return asyncio.run(_starts(kubectl, space, rounds))


async def _starts(kubectl: Kubectl, space: Space, rounds: int) -> Starts:
    found = Starts()
    async with (
        model_stage.kube(kubectl) as kube,
        model_stage.trainings(space) as api,
        watching(kube, POD, space.name) as pods,
    ):
        # The first of each reads the image into the page cache for both.
        for number in range(rounds + 1):
            ours, image = await _our_start(api, pods)
            bare = await _bare_start(kube, pods, space.name, image, number)
            print(f"starts: round {number} of {rounds}: {ours:.2f} s, bare {bare:.2f} s", file=sys.stderr, flush=True)
            if number:
                found.ours.append(ours)
                found.bare.append(bare)
    return found


async def _our_start(api: Trainings, pods: Watched) -> tuple[float, str]:
    await asyncio.sleep(random.random())
    began, seen = time.time(), len(pods.events)
    item = (await api.request("porter"))["id"]

    def trains(pod: Manifest) -> bool:
        return _is_of(pod, item) and _runs(pod, "initContainerStatuses", "train")

    moment = await pods.first(trains, since=seen)
    await api.cancel(item)
    await api.ended(item)
    # Until its processes are gone they take the CPU from whatever is measured next.
    await pods.gone(lambda pod: _is_of(pod, item))
    pod = next(pod for _, _, pod in reversed(pods.events) if _is_of(pod, item))
    return moment - began, next(c["image"] for c in pod["spec"]["initContainers"] if c["name"] == "train")


async def _bare_start(kube: Kube, pods: Watched, namespace: str, image: str, number: int) -> float:
    name = f"{BARE}-{number}"
    await asyncio.sleep(random.random())
    began, seen = time.time(), len(pods.events)
    await kube.create(JOB, bare_job(name, namespace, image))

    def bare(pod: Manifest) -> bool:
        return bool(pod["metadata"].get("labels", {}).get("job-name") == name)

    moment = await pods.first(lambda pod: bare(pod) and _runs(pod, "containerStatuses", BARE), since=seen)
    await kube.delete(JOB, namespace, name)
    await pods.gone(bare)
    return moment - began


def bare_job(name: str, namespace: str, image: str) -> Manifest:
    """A Job of the engine's image behind one init container of the same image that does nothing."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
                "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}  # fmt: skip
    shared = {"image": image, "securityContext": security}
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "initContainers": [{"name": "no-op", "command": ["true"], **shared}],
        "containers": [{"name": BARE, "command": ["sleep", "60"], **shared}],
    }
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _manual_porter(space: Space, **training: Any) -> None:
    porter = Assistant(space, "porter")
    porter.apply_with_content(content.porter(), training={"trigger": "Manual", **training}, running={"mode": "Never"})
    assistants.wait_studio_ready(space)
    porter.wait_for("Trained", "False", reason="NotRequested")


def _is_of(manifest: Manifest, item: str) -> bool:
    return bool(manifest["metadata"].get("labels", {}).get(labels.TRAINING) == item)


def _runs(pod: Manifest, statuses: str, container: str) -> bool:
    found = pod.get("status", {}).get(statuses) or []
    return any(c["name"] == container and ("running" in c["state"] or "terminated" in c["state"]) for c in found)


def _reached(assistant: Manifest, item: str, state: str) -> bool:
    """Whether the status shows this state of the training, or a later one."""
    shown = assistant.get("status", {}).get("training") or {}
    return bool(shown.get("id") == item and ORDER.index(shown["state"]) >= ORDER.index(state))


def _seconds(timestamp: str) -> float:
    return dt.datetime.fromisoformat(timestamp).timestamp()
