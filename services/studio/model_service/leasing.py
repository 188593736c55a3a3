"""What a consumer does with the queue: it takes an item for a while, says how far it is, ends it or gives it back."""

# ruff: noqa: S608 (the columns are a constant; values are parameters)

from collections.abc import Awaitable, Callable

import asyncpg

from studio.contract.model_service import Progress
from studio.contract.reasons import Reason
from studio.db.listening import Listener
from studio.db.retry import retry_transient
from studio.model_service import claiming, presence
from studio.model_service.claiming import COLUMNS
from studio.model_service.items import Item, Kind, Lease, LeaseLost, stopped_state
from studio.model_service.queue import ITEM_CHANNEL, QUEUE_CHANNEL, change, lock


class Queue:
    """What a consumer does with the queue. Every method is one transaction and is retried while the server is away.

    `holder` names one consumer process (the pod's name): a process holds one item at a time, and a claim by the same
    holder gives the item it already holds again, with a new fence.
    """

    def __init__(self, pool: asyncpg.Pool, *, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        """Use `pool` for transactions and a connection of its own from `connect` for listening."""
        self._pool = pool
        self._connect = connect

    def listen(self, *channels: str, poll: float = 5.0) -> Listener:
        """Wake-ups: `async with queue.listen() as listener: notes = await listener.wait(timeout)`.

        By default `studio_queue` and `studio_item`. While the server is away, `wait` returns every `poll` seconds.
        """
        return Listener(self._connect, channels or (QUEUE_CHANNEL, ITEM_CHANNEL), poll=poll)

    @retry_transient
    async def claim(self, kind: Kind, holder: str, *, ttl: float = 20.0) -> Lease | None:
        """Take the next claimable item for `ttl` seconds, or None. Queued items become Running or Starting."""
        try:
            async with self._pool.acquire() as conn, conn.transaction():
                item = await claiming.next_claimable(conn, kind, holder)
                if item is None:
                    return None
                if item.state == "Queued":
                    changed = await change(
                        conn, item, who=holder, state=item.claimed_state, reason=Reason.CLAIMED, message="",
                        attempt=max(item.attempt, 1), lease="take", holder=holder, ttl=ttl,
                    )  # fmt: skip
                else:
                    changed = await change(
                        conn, item, who=holder, lease="take", holder=holder, ttl=ttl, audit_reason=Reason.ADOPTED
                    )
                return Lease(item=changed, holder=holder, fence=changed.fence)
        except asyncpg.UniqueViolationError:
            # Another training of the same assistant began between our snapshot and our write: not claimable after all.
            return None

    @retry_transient
    async def heartbeat(self, lease: Lease, *, ttl: float = 20.0) -> Item | None:
        """Extend the lease to `ttl` seconds from now and give the fresh item; None: the lease is lost."""
        row = await self._pool.fetchrow(
            f"""update items set lease_until = now() + make_interval(secs => $4)
                where id = $1 and holder = $2 and fence = $3 and finished_at is null returning {COLUMNS}""",
            lease.item.id, lease.holder, lease.fence, ttl,
        )  # fmt: skip
        return None if row is None else Item(**row)

    @retry_transient
    async def update(
        self,
        lease: Lease,
        *,
        state: str | None = None,
        reason: str | None = None,
        message: str | None = None,
        attempt: int | None = None,
        retry_in: float | None = None,
        progress: Progress | None = None,
    ) -> Item:
        """Change a held item; None keeps. Raises LeaseLost, IllegalTransition.

        `state="Queued"` gives the item back to the queue, not before `retry_in` seconds, and ends the lease; an item
        whose stop was requested ends instead. `retry_in` alone keeps the lease and shows when the next attempt is due.
        """
        async with self._pool.acquire() as conn, conn.transaction():
            item = await self._held(conn, lease)
            if state == "Queued" and item.stop_requested:
                state, reason, retry_in = stopped_state(item), item.stop_reason, None
                message = item.stop_message
            return await change(
                conn, item, who=lease.holder, state=state, reason=reason, message=message, attempt=attempt,
                retry_in=retry_in, progress=progress,
            )  # fmt: skip

    @retry_transient
    async def finish(
        self, lease: Lease, state: str, reason: str, message: str = "", *, expected: str | None = None
    ) -> Item:
        """End a held item in a final state and free the lease; doing it twice is harmless. Raises LeaseLost.

        One that is not in the `expected` state any more is given as it is.
        """
        async with self._pool.acquire() as conn, conn.transaction():
            item = await lock(conn, lease.item.id)
            if item is not None and item.final and item.fence == lease.fence and item.state == state:
                return item
            item = await self._held(conn, lease)
            if expected not in (None, item.state):
                return item
            message = _last_words(item, state, message)
            return await change(conn, item, who=lease.holder, state=state, reason=reason, message=message)

    @retry_transient
    async def release(self, lease: Lease) -> None:
        """Free the lease at once and keep the state, so that another consumer adopts the item; no-op if lost."""
        async with self._pool.acquire() as conn, conn.transaction():
            try:
                item = await self._held(conn, lease)
            except LeaseLost:
                return
            await change(conn, item, who=lease.holder, lease="free", audit_reason=Reason.RELEASED)

    @retry_transient
    async def get(self, item_id: str) -> Item | None:
        """The item as it is now."""
        row = await self._pool.fetchrow(f"select {COLUMNS} from items where id = $1", item_id)
        return None if row is None else Item(**row)

    @retry_transient
    async def model_of(self, item: Item) -> int | None:
        """The version of the model that this training made, or None: the success of a training is this row."""
        version: int | None = await self._pool.fetchval(
            "select version from models where uid = $1 and fingerprint = $2 and training = $3",
            item.uid, item.fingerprint, item.id,
        )  # fmt: skip
        return version

    @retry_transient
    async def present(self, kind: Kind, holder: str) -> None:
        """Say that an idle consumer is there; one that holds an item is known by its lease."""
        await presence.tell(self._pool, kind, holder)

    async def absent(self, holder: str) -> None:
        """Say that it goes; not repeated, since it is forgotten anyway."""
        await presence.forget(self._pool, holder)

    async def ping(self) -> None:
        """Raise unless the database answers."""
        await self._pool.fetchval("select 1")

    @staticmethod
    async def _held(conn: asyncpg.Connection, lease: Lease) -> Item:
        item = await lock(conn, lease.item.id)
        if item is None or item.final or item.holder != lease.holder or item.fence != lease.fence:
            raise LeaseLost(f"{lease.item.kind} {lease.item.id} is not held by {lease.holder} any more")
        return item


def _last_words(item: Item, state: str | None, message: str) -> str:
    """What an item ends with: who stopped it and why, unless there is more to say."""
    return item.stop_message if item.stop_requested and not message and state == stopped_state(item) else message
