"""The head of the line against the line itself, for any line: a look at the first rows never takes the wrong one."""

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.db import pool
from studio.model_service import claiming
from studio.model_service.items import KINDS, Kind
from studio.settings import DatabaseSettings

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
# So narrow that lines of a few items go beyond every look.
LOOKS: tuple[tuple[int | None, int | None], ...] = ((1, 1), (3, 2), (None, 2), (None, None))


@dataclass(frozen=True)
class Waiter:
    """An item that waits, and what decides its place: how often its assistant was served, and whether it may begin."""

    priority: int
    used: int
    age: int
    obstacle: str | None


waiters = st.builds(
    Waiter,
    priority=st.integers(-1, 1),
    used=st.integers(0, 2),
    age=st.integers(0, 3),
    obstacle=st.sampled_from((None, None, None, "paused", "pause", "behind")),
)


@pytest.fixture(autouse=True)
def narrow_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "_LOOKS", LOOKS)
    monkeypatch.setattr(claiming, "_STATEMENTS", {kind: claiming._statements(kind) for kind in KINDS})


async def fill(conn: asyncpg.Connection, kind: Kind, line: list[Waiter]) -> None:
    """Put the line into the tables; the rows lie in them in another order than they wait in."""
    await conn.execute("truncate assistants, items cascade")
    rows = list(enumerate(line))
    random.Random(len(line)).shuffle(rows)
    for number, waiter in rows:
        uid, wish = f"u{number}", {"paused": waiter.obstacle == "paused"}
        await conn.execute(
            """insert into assistants (uid, name, namespace, studio, training, running)
               values ($1, $1, 'n', 's', $2, $2)""",
            uid, wish,
        )  # fmt: skip
        served = {"training": ("Succeeded", START), "run": ("Ready", None)}[kind]
        for earlier in range(waiter.used):
            await insert(conn, kind, uid, f"u{number}-{earlier}", served[0], finished_at=served[1], started=True)
        if waiter.obstacle == "behind":
            await insert(conn, kind, uid, f"u{number}-r", "Running" if kind == "training" else "Ready", started=True)
        await insert(
            conn, kind, uid, f"u{number}-q", "Queued", priority=waiter.priority, age=waiter.age,
            retry_in=60 if waiter.obstacle == "pause" else -60,
        )  # fmt: skip


async def insert(
    conn: asyncpg.Connection, kind: Kind, uid: str, item_id: str, state: str, *, priority: int = 0, age: int = 0,
    retry_in: int = -60, finished_at: datetime | None = None, started: bool = False,
) -> None:  # fmt: skip
    await conn.execute(
        """insert into items (id, kind, uid, assistant, fingerprint, spec, spec_digest, state, priority, requested_at,
                              retry_at, finished_at, started_at, holder, lease_until)
           values ($1, $2, $3, $3, 'f', '{}', '', $4, $5, $6, now() + make_interval(secs => $7), $8,
                   case when $9 then now() - interval '1 min' end,
                   case when $9 and $8::timestamptz is null then 'somebody' end,
                   case when $9 and $8::timestamptz is null then now() + interval '20 s' end)""",
        item_id, kind, uid, state, priority, START - timedelta(seconds=age), retry_in, finished_at, started,
    )  # fmt: skip


async def place(conn: asyncpg.Connection, kind: Kind, waiter: Waiter, number: int) -> tuple[int, int, int, int]:
    """By the words of the docs: priority, then fair share, then age, then which was there first."""
    used = waiter.used + (waiter.obstacle == "behind")
    seq = await conn.fetchval("select seq from items where id = $1", f"u{number}-q")
    return -waiter.priority, used, -waiter.age, seq


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_claimed_is_the_head_of_the_line(kind: Kind, studio_database: DatabaseSettings) -> None:
    with asyncio.Runner() as runner:
        conn = runner.run(pool.connect(studio_database, application_name="test"))

        async def check(line: list[Waiter]) -> None:
            await fill(conn, kind, line)
            may_begin = {None, "behind"} if kind == "run" else {None}
            places = {number: await place(conn, kind, waiter, number) for number, waiter in enumerate(line)}
            expected = sorted(
                (number for number, waiter in enumerate(line) if waiter.obstacle in may_begin), key=places.__getitem__
            )
            waiting = [item.id for item in await claiming.waiting(conn, kind)]
            assert waiting[: len(expected)] == [f"u{number}-q" for number in expected]
            assert len(waiting) == len(line)
            claimed = []
            while (item := await claiming.next_claimable(conn, kind, "me")) is not None:
                claimed.append(item.id)
                # It leaves the line and counts for nobody: the others keep their places.
                await conn.execute("update items set kind = 'training', state = 'Failed', finished_at = now(), "
                                   "started_at = null, retry_at = null where id = $1", item.id)  # fmt: skip
            assert claimed == [f"u{number}-q" for number in expected]

        @settings(max_examples=40, deadline=None)
        @given(st.lists(waiters, max_size=7))
        def any_line(line: list[Waiter]) -> None:
            runner.run(check(line))

        try:
            any_line()
        finally:
            runner.run(conn.close())


async def test_those_who_claim_at_once_go_past_what_is_taken(
    studio_pool: asyncpg.Pool, studio_database: DatabaseSettings
) -> None:
    """More of them than candidates of the first looks, each with its transaction still open."""
    count = 6
    async with studio_pool.acquire() as conn:
        await fill(conn, "training", [Waiter(0, 0, count - number, None) for number in range(count)])
    opened = [await pool.connect(studio_database, application_name="test") for _ in range(count + 1)]
    try:
        claimed = []
        for number, conn in enumerate(opened):
            await conn.execute("begin")
            claimed.append(await claiming.next_claimable(conn, "training", f"c{number}"))
        assert [item and item.id for item in claimed] == [*(f"u{number}-q" for number in range(count)), None]
    finally:
        for conn in opened:
            await conn.close()
