"""The roles and databases of a Studio on its server; every step can be repeated, alone or by two at once."""

import asyncpg
import structlog

from studio.db.identifiers import identifier, literal
from studio.db.scram import verifier

log = structlog.get_logger(__name__)

# Any constant, the same for every version of this program.
LOCK_KEY = 0x5354_5544_494F


async def ensure_role(conn: asyncpg.Connection, name: str, password: str, *, createrole: bool = False) -> None:
    """A role that can log in with `password`; with `createrole` it can make the roles of the conversations."""
    options = f"login {'createrole' if createrole else 'nocreaterole'} password {literal(verifier(password))}"
    if not await conn.fetchval("select true from pg_roles where rolname = $1", name):
        try:
            await conn.execute(f"create role {identifier(name)} {options}")
        except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            log.info("role was made by somebody else at the same time", role=name)
        else:
            log.info("role created", role=name)
            return
    await conn.execute(f"alter role {identifier(name)} {options}")


async def ensure_database(conn: asyncpg.Connection, name: str, *, owner: str) -> None:
    """A database that belongs to `owner` and that nobody else may connect to unless it is granted."""
    if not await conn.fetchval("select true from pg_database where datname = $1", name):
        await _become_member(conn, owner)
        try:
            await conn.execute(f"create database {identifier(name)} owner {identifier(owner)}")
            log.info("database created", database=name, owner=owner)
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            log.info("database was made by somebody else at the same time", database=name)
    await conn.execute(f"revoke all on database {identifier(name)} from public")


async def _become_member(conn: asyncpg.Connection, role: str) -> None:
    """Giving an object to a role takes membership in it, except for a superuser (managed servers have none).

    Since PostgreSQL 16 whoever makes a role is a member that may not SET ROLE, so the grant is always made.
    """
    if not await conn.fetchval("select rolsuper from pg_roles where rolname = current_user"):
        await conn.execute(f"grant {identifier(role)} to current_user")
