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
# Somebody else's change is seen after this long.
PERIOD = 60.0
PAUSE_AFTER_FAILURE = 5.0
# What Keycloak refused, it will refuse again, until somebody changes the spec or Keycloak.
PAUSE_AFTER_REFUSAL = 60.0
# A pass may hang for its whole minute, and the queue has eight workers: repairs always find one.
MOST_AT_ONCE = 4


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
        self._under_way = 0

    @property
    def busy(self) -> bool:
        """Whether as many passes are under way as may be."""
        return self._under_way >= MOST_AT_ONCE

    def want(self, key: tuple[str, str], desired: DesiredRealm, access: IdentityAccess) -> None:
        """Say what the next pass is to bring about."""
        self._wanted[key] = desired, access

    def found(self, key: tuple[str, str]) -> Kept | None:
        """What the last pass came to; None when something else was desired then."""
        wanted, last = self._wanted.get(key), self._kept.get(key)
        return last if last is not None and wanted is not None and last.desired == wanted[0] else None

    def due(self, key: tuple[str, str]) -> float | None:
        """Seconds until the realm should be looked at, 0 for now; None when nothing is wanted of it."""
        if key not in self._wanted:
            return None
        last = self.found(key)
        if last is None:
            return 0.0
        period = _pause(last.error)
        # A clock that is set back must not keep anybody waiting for longer.
        return min(period, max(0.0, period - (self._clock.now() - last.at).total_seconds()))

    async def keep(self, key: tuple[str, str]) -> Kept | None:
        """A pass over the realm; None when nothing is wanted of it, or it is not due."""
        if self.due(key) != 0:
            return None
        desired, access = self._wanted[key]
        report, error = SyncReport(), None
        self._under_way += 1
        try:
            report = await self._identity.sync(desired, access)
        except IdentityError as failure:
            error = failure
        except Exception as bug:
            log.exception("the pass over the realm failed")
            # Whoever reads the status is not to believe what was found before.
            error = IdentityUnreachable(f"the pass over the realm failed: {type(bug).__name__}: {bug}")
        finally:
            self._under_way -= 1
        kept = Kept(desired, self._clock.now(), report, error)
        if key in self._wanted:
            self._kept[key] = kept
        return kept

    def forget(self, key: tuple[str, str]) -> None:
        """Nothing is wanted of it any more, and what was found may be true no longer."""
        self._wanted.pop(key, None)
        self._kept.pop(key, None)


def _pause(error: IdentityError | None) -> float:
    if error is None:
        return PERIOD
    return PAUSE_AFTER_REFUSAL if isinstance(error, IdentityRefused) else PAUSE_AFTER_FAILURE
