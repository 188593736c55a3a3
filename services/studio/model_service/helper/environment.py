"""What every helper is told by its Job, and how it tells why it failed."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from studio.model_service.orchestrator_client import OrchestratorClient
from studio.settings import number, required

# How long a helper goes on asking before it gives its attempt up; the consumer then makes another one.
PATIENCE = 600.0
TERMINATION_LOG = Path("/dev/termination-log")
FAILED = 1
# The consumer makes no further attempt after this code: the data are at fault.
REFUSED = 3


@dataclass(frozen=True)
class HelperSettings:
    """Which attempt of which item the helper works for, and where its orchestrator is."""

    orchestrator_url: str
    token_file: Path
    item: str
    attempt: int

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """ORCHESTRATOR_URL, ORCHESTRATOR_TOKEN_FILE, ITEM, ATTEMPT; raises SettingsError."""
        return cls(
            orchestrator_url=required(env, "ORCHESTRATOR_URL"),
            token_file=Path(required(env, "ORCHESTRATOR_TOKEN_FILE")),
            item=required(env, "ITEM"),
            attempt=number(env, "ATTEMPT", 1),
        )

    def orchestrator(self, *, patience: float = PATIENCE) -> OrchestratorClient:
        """The client for the helper's own orchestrator."""
        return OrchestratorClient(self.orchestrator_url, self.token_file, patience=patience)

    def path(self, collection: str, action: str) -> str:
        """The path of an action on the helper's own attempt; `collection` is trainings or runs."""
        return f"/v1/{collection}/{self.item}/attempts/{self.attempt}/{action}"


def report_failure(message: str, *, file: Path = TERMINATION_LOG) -> None:
    """Leave one clear sentence where the kubelet, and through it the consumer, finds it."""
    print(message, file=sys.stderr, flush=True)
    with suppress(OSError):
        file.write_text(message[:4000], encoding="utf-8")
