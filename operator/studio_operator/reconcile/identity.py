"""One pass over the realm of a Studio: read, compare, write what differs, until nothing differs."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from studio_operator.planning.realm import DesiredRealm
from studio_operator.planning.realm_diff import writes
from studio_operator.ports import (
    Clock,
    Identity,
    IdentityAccess,
    IdentityError,
    IdentityRefused,
    IdentityUnreachable,
    RealmAdmin,
    Realms,
    SyncReport,
)

log = structlog.get_logger(__name__)

# A realm from nothing takes five rounds; one that still differs then differs for ever.
ROUNDS = 8
PASS_SECONDS = 60.0
# Somebody else's change is repaired after this long at the latest.
PERIOD = 60.0
# A Studio that is coming up is looked at often; that must not become a hail of requests.
PAUSE_AFTER_FAILURE = 5.0


class RealmSync:
    """The `Identity` port."""

    def __init__(self, realms: Realms) -> None:
        self._realms = realms

    async def sync(self, desired: DesiredRealm, access: IdentityAccess) -> SyncReport:
        """Bring the realm to what is desired. Raises IdentityError; whatever was written until then stays."""
        try:
            async with asyncio.timeout(PASS_SECONDS), self._realms.open(access) as admin:
                return await _settle(admin, desired)
        except TimeoutError:
            raise IdentityUnreachable(
                f"Keycloak needed more than {PASS_SECONDS:.0f} s for a pass over its realm"
            ) from None


async def _settle(admin: RealmAdmin, desired: DesiredRealm) -> SyncReport:
    live = await admin.read(desired)
    known = live is not None and live.applied == desired.digest
    done: list[str] = []
    for _ in range(ROUNDS):
        due = writes(desired, live)
        if not due:
            return SyncReport(repaired=tuple(done)) if known else SyncReport(updated=tuple(done))
        for write in due:
            await admin.write(write)
            if write.what and write.what not in done:
                done.append(write.what)
        log.info("realm written", what=[write.what for write in due], drift=known)
        live = await admin.read(desired)
    names = ", ".join(write.what or "its digest" for write in writes(desired, live))
    raise IdentityRefused(
        f"the realm does not become what was written to it: {names}; somebody changes it all the time"
    )


@dataclass(frozen=True)
class Kept:
    """What the last pass over a realm came to; with an `error` the report is empty, though it may have written."""

    desired: DesiredRealm = field(repr=False)
    at: datetime
    report: SyncReport
    error: IdentityError | None


class PacedIdentity:
    """Passes over realms, at most one a minute for each Studio unless what is desired has changed.

    Keys are namespace and name of the Studio. Kept in memory: after a restart each realm is looked at once more.
    """

    def __init__(self, identity: Identity, clock: Clock) -> None:
        self._identity = identity
        self._clock = clock
        self._wanted: dict[tuple[str, str], tuple[DesiredRealm, IdentityAccess]] = {}
        self._kept: dict[tuple[str, str], Kept] = {}

    def want(self, key: tuple[str, str], desired: DesiredRealm, access: IdentityAccess) -> Kept | None:
        """Say what the next pass is to bring about; gives what the last one came to, if that was desired then, too."""
        self._wanted[key] = desired, access
        last = self._kept.get(key)
        return last if last is not None and last.desired == desired else None

    def due(self, key: tuple[str, str]) -> float:
        """Seconds until the realm, of which something is wanted, should be looked at; 0: now."""
        desired, _ = self._wanted[key]
        last = self._kept.get(key)
        if last is None or last.desired != desired:
            return 0.0
        period = PERIOD if last.error is None else PAUSE_AFTER_FAILURE
        return max(0.0, period - (self._clock.now() - last.at).total_seconds())

    async def keep(self, key: tuple[str, str]) -> Kept | None:
        """A pass over the realm; None when nothing is wanted of it, or it is not due."""
        if key not in self._wanted or self.due(key) > 0:
            return None
        desired, access = self._wanted[key]
        report, error = SyncReport(), None
        try:
            report = await self._identity.sync(desired, access)
        except IdentityError as failure:
            error = failure
        kept = Kept(desired, self._clock.now(), report, error)
        if key in self._wanted:
            self._kept[key] = kept
        return kept

    def forget(self, key: tuple[str, str]) -> None:
        """The Studio is gone."""
        self._wanted.pop(key, None)
        self._kept.pop(key, None)
