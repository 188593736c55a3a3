"""Whether an engine really keeps its conversations in PostgreSQL.

Rasa falls back to its memory silently when it cannot use its tracker store. So the server is asked, as the assistant's
own role: is the table there and may be written, and does this very engine have a connection open? That leaves no trace:
a probe conversation would also be published to the event broker.
"""

import ssl

import asyncpg

from studio.contract.model_service import RunReport, TrackerStore

_TIMEOUT = 10.0
_QUERY = """
select to_regclass(format('%I.events', $1::text)) is not null as has_table,
       coalesce(has_table_privilege(to_regclass(format('%I.events', $1::text)), 'INSERT'), false) as may_write,
       exists (select 1 from pg_stat_activity where usename = current_user and application_name = $2) as connected"""


async def reachable(store: TrackerStore) -> bool:
    """Whether the server lets the assistant's role in."""
    try:
        connection = await _connect(store)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        # A certificate that is not trusted is an OSError, too.
        return False
    await connection.close()
    return True


async def durability(store: TrackerStore, *, application_name: str) -> RunReport:
    """What PostgreSQL says about the engine whose connections carry `application_name`."""
    try:
        connection = await _connect(store)
        try:
            row = await connection.fetchrow(_QUERY, store.db_schema, application_name[:63], timeout=_TIMEOUT)
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        return RunReport(trackers_durable=False, message=f"the tracker database cannot be asked: {error}")
    return verdict(has_table=row["has_table"], may_write=row["may_write"], connected=row["connected"])


def verdict(*, has_table: bool, may_write: bool, connected: bool) -> RunReport:
    """The report, with the first thing that is missing."""
    missing = (
        (has_table, "the engine has not made its table of conversations"),
        (may_write, "the engine may not write into its table of conversations"),
        (connected, "the engine has no connection to its tracker database"),
    )
    problem = next((message for fine, message in missing if not fine), "")
    return RunReport(trackers_durable=not problem, message=f"{problem}: it keeps them in memory" if problem else "")


async def _connect(store: TrackerStore) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=store.host,
        port=store.port,
        database=store.database,
        user=store.username,
        password=store.password,
        ssl=_ssl(store),
        timeout=_TIMEOUT,
    )


def _ssl(store: TrackerStore) -> str | ssl.SSLContext:
    return ssl.create_default_context(cadata=store.ca) if store.sslmode == "verify-full" else store.sslmode
