"""The audit log: who did what, written before what cannot be taken back, or together with what can."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from studio.backend import cursors
from studio.backend.access import Caller
from studio.backend.models.common import Page
from studio.backend.models.system import AuditEntry
from studio.db.schema.back_end import audit
from studio.http.problems import Refused

BEGUN, DONE, FAILED = "begun", "done", "failed"


async def record(conn: AsyncConnection, caller: Caller, target: str, outcome: str = DONE) -> int:
    """Write down what is done in the transaction of `conn`; gives the number of the entry."""
    row = await conn.execute(
        insert(audit)
        .values(
            who=caller.person.username,
            subject=caller.person.subject,
            operation=caller.operation.value,
            target=target,
            outcome=outcome,
            request_id=caller.request_id,
        )
        .returning(audit.c.id)
    )
    return int(row.scalar_one())


@asynccontextmanager
async def recorded(engine: AsyncEngine, caller: Caller, target: str) -> AsyncIterator[None]:
    """Write down what is done elsewhere: that it was begun, before, and how it ended, after."""
    async with engine.begin() as conn:
        entry = await record(conn, caller, target, BEGUN)
    outcome = FAILED
    try:
        yield
        outcome = DONE
    except Refused as refused:
        outcome = f"refused: {refused.status}"
        raise
    finally:
        async with engine.begin() as conn:
            await conn.execute(update(audit).where(audit.c.id == entry).values(outcome=outcome))


async def entries(engine: AsyncEngine, *, limit: int, cursor: str | None) -> Page[AuditEntry]:
    """The log, newest first."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit + 1)
    if cursor:
        query = query.where(audit.c.id < cursors.at_number(cursor))
    async with engine.connect() as conn:
        rows = (await conn.execute(query)).all()
    items = [
        AuditEntry(
            id=row.id, at=row.at, who=row.who, operation=row.operation, target=row.target, outcome=row.outcome,
            request_id=row.request_id,
        )
        for row in rows
    ]  # fmt: skip
    return cursors.page(items, limit, lambda last: (last.id,))
