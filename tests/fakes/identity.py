"""The `Identity` port for tests of the Studio's pass: records what is asked, answers what is set."""

import asyncio
from dataclasses import dataclass, field

from studio_operator.planning.realm import DesiredRealm
from studio_operator.ports import IdentityAccess, SyncReport


@dataclass
class FakeIdentity:
    """See the module. `error` is raised by every pass while it is set; `report` is the answer of the next one.

    It hangs while `answers` is cleared, and sets `asked` then.
    """

    passes: list[tuple[DesiredRealm, IdentityAccess]] = field(default_factory=list)
    report: SyncReport = field(default_factory=SyncReport)
    error: Exception | None = None
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answers.set()

    async def sync(self, desired: DesiredRealm, access: IdentityAccess) -> SyncReport:
        self.passes.append((desired, access))
        if not self.answers.is_set():
            self.asked.set()
            await self.answers.wait()
        if self.error is not None:
            raise self.error
        report, self.report = self.report, SyncReport()
        return report
