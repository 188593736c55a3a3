"""Why a pod does not get going, as the scheduler and the kubelet say it in its status. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from studio.contract.reasons import Reason

_PULL_PROBLEMS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "ErrImageInspect",
        "RegistryUnavailable",
    }
)
# What the kubelet and containerd put before the cause, in the order in which they put it.
_PULL_STEPS = (
    re.compile(r'^Back-off pulling image "[^"]*"(: )?'),
    re.compile(r"^ErrImagePull: "),
    re.compile(r"^rpc error: code = \w+ desc = "),
    re.compile(r'^failed to pull and unpack image "[^"]*": '),
    re.compile(r'^failed to resolve reference "[^"]*": '),
    re.compile(r"^failed to resolve image: "),
)
# The kubelet will never try another time.
_NO_IMAGE_NAME = "InvalidImageName"
_CONFIG_PROBLEMS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


class Obstacle(StrEnum):
    """Why a pod does not get going; each is also the reason shown to users."""

    UNSCHEDULABLE = Reason.UNSCHEDULABLE
    QUOTA_EXCEEDED = Reason.QUOTA_EXCEEDED
    POD_REFUSED = Reason.POD_REFUSED
    IMAGE_PULL_FAILED = Reason.IMAGE_PULL_FAILED
    INVALID_IMAGE_NAME = Reason.INVALID_IMAGE_NAME
    CONTAINER_CONFIG = Reason.CONTAINER_CONFIG_ERROR


@dataclass(frozen=True)
class Met:
    """An obstacle, and what there is to say of it."""

    obstacle: Obstacle
    message: str


def obstacle_of(pod: Mapping[str, Any]) -> Met | None:
    """What a pod meets on its way, if anything; one that does not exist cannot say what kept it from being made."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return Met(Obstacle.UNSCHEDULABLE, condition.get("message") or "")
    for container in container_statuses(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason, message, name = waiting.get("reason") or "", waiting.get("message") or "", container["name"]
        image = container.get("image") or ""
        if reason in _PULL_PROBLEMS:
            return Met(Obstacle.IMAGE_PULL_FAILED, _pull_problem(name, image, _cause(message) or reason))
        if reason == _NO_IMAGE_NAME:
            wrong = f"{image} of container {name} cannot be the name of an image: correct it"
            return Met(Obstacle.INVALID_IMAGE_NAME, f"{wrong} ({message or reason})")
        if reason in _CONFIG_PROBLEMS:
            return Met(Obstacle.CONTAINER_CONFIG, f"container {name}: {message or reason}")
    return None


def container_statuses(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a pod tells of its containers, those first that come first."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _pull_problem(container: str, image: str, why: str) -> str:
    return (
        f"the image {image} of container {container} cannot be pulled: correct its name, "
        f"or name a pull secret of its registry in the Studio ({why})"
    )


def _cause(message: str) -> str:
    """The same sentence in every phase of the kubelet's retries: where it failed, without the steps on the way."""
    for passed in _PULL_STEPS:
        message = passed.sub("", message)
    return message.strip()
