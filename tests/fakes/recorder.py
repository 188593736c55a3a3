"""The `Recorder` port as a list."""

from dataclasses import dataclass, field
from typing import NamedTuple

from studio.kube import Manifest


class Recorded(NamedTuple):
    """One Kubernetes event."""

    about: str
    reason: str
    message: str
    warning: bool


@dataclass
class FakeRecorder:
    """See the module."""

    events: list[Recorded] = field(default_factory=list)

    async def record(self, about: Manifest, *, reason: str, message: str, warning: bool) -> None:
        self.events.append(Recorded(f"{about['kind']}/{about['metadata']['name']}", reason, message, warning))

    def reasons(self, about: str) -> list[str]:
        """The reasons of the events about one resource, such as `Assistant/concierge`, in order."""
        return [event.reason for event in self.events if event.about == about]
