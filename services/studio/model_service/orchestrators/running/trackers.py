"""One PostgreSQL role and schema for the conversations of each assistant."""

import hashlib
import hmac
import json
from datetime import UTC, datetime

import asyncpg
import structlog

from studio.contract import names
from studio.contract.model_service import EventBrokerLogin, TrackerStore
from studio.db import pool
from studio.db.identifiers import identifier, literal
from studio.db.retry import retry_transient
from studio.db.scram import verifier
from studio.settings import SettingsError, TrackerSettings, read_secret

log = structlog.get_logger(__name__)

APPLICATION = "running-orchestrator-trackers"
MIN_KEY = 32


class Trackers:
    """Makes and drops them with a login that may create roles; each call opens one short connection.

    The schema belongs to that login, the assistant's role may only use it: so dropping needs no membership in the role
    (before and since PostgreSQL 16 membership differs), and one assistant can never look into another's schema.
    """

    def __init__(self, settings: TrackerSettings) -> None:
        self._settings = settings

    def store(self, uid: str) -> TrackerStore:
        """How an engine of this assistant logs in."""
        database = self._settings.database
        name = names.tracker_schema(uid)
        return TrackerStore(
            host=database.host, port=database.port, database=database.name, db_schema=name, username=name,
            password=self._password(uid), sslmode=database.ssl_mode, ca=self._ca(),
        )  # fmt: skip

    def stores_digest(self, events: EventBrokerLogin | None) -> str:
        """A digest of the database and the broker that engines are told of; keyed, for a login is in it."""
        database = self._settings.database
        place = (database.host, database.port, database.name, database.ssl_mode, self._ca())
        return self._keyed(json.dumps([place, events.model_dump(mode="json") if events else None], sort_keys=True))

    @retry_transient
    async def ensure(self, uid: str) -> TrackerStore:
        """Make role and schema if they are missing and set the password; repeatable, by several at once."""
        store = self.store(uid)
        role, schema = identifier(store.username), identifier(store.db_schema)
        conn = await self._connect()
        try:
            async with conn.transaction():
                await self._lock(conn, uid)
                exists = await conn.fetchval("select true from pg_roles where rolname = $1", store.username)
                password = literal(verifier(store.password))
                await conn.execute(f"{'alter' if exists else 'create'} role {role} login password {password}")
                await conn.execute(f"alter role {role} set search_path = {schema}")
                await conn.execute(f"create schema if not exists {schema}")
                await conn.execute(f"grant usage, create on schema {schema} to {role}")
                await self._lock(conn, store.database)
                await conn.execute(f"grant connect on database {identifier(store.database)} to {role}")
        finally:
            conn.terminate()
        return store

    async def heard(self, uid: str) -> datetime | None:
        """When the newest event of all conversations of an assistant happened; None: there is none.

        Asked as the assistant's own role, for nobody else may look into its tables. Not repeated.
        """
        store = self.store(uid)
        conn = await pool.connect(
            self._settings.database, application_name=APPLICATION, login=(store.username, store.password)
        )
        try:
            seconds: float | None = await conn.fetchval("select timestamp from events order by id desc limit 1")
        except asyncpg.UndefinedTableError:
            return None
        finally:
            conn.terminate()
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

    @retry_transient
    async def drop(self, uid: str) -> None:
        """Delete all conversations of an assistant, and its role; no error if there are none."""
        store = self.store(uid)
        role, schema = identifier(store.username), identifier(store.db_schema)
        conn = await self._connect()
        try:
            async with conn.transaction():
                await self._lock(conn, uid)
                await conn.execute(f"drop schema if exists {schema} cascade")
                if await conn.fetchval("select true from pg_roles where rolname = $1", store.username):
                    await self._lock(conn, store.database)
                    await conn.execute(f"revoke connect on database {identifier(store.database)} from {role}")
                    await conn.execute(f"drop role {role}")
                    log.info("conversations deleted", role=store.username)
        finally:
            conn.terminate()

    async def _connect(self) -> asyncpg.Connection:
        return await pool.connect(self._settings.database, application_name=APPLICATION)

    @staticmethod
    async def _lock(conn: asyncpg.Connection, what: str) -> None:
        """An assistant is locked first; the database last, and only for what is quick.

        Who may connect to it is one row of the server's catalogue for all assistants: of two that change it at once the
        later one fails ("tuple concurrently updated").
        """
        await conn.execute("select pg_advisory_xact_lock(hashtextextended($1, 1))", what)

    def _ca(self) -> str | None:
        """Engines are in other pods: they get the text of the file."""
        database = self._settings.database
        if database.ssl_mode != "verify-full" or database.ca_file is None:
            return None
        return database.ca_file.read_text(encoding="ascii")

    def _password(self, uid: str) -> str:
        return self._keyed(uid)

    def _keyed(self, text: str) -> str:
        key = read_secret(self._settings.key_file)
        if len(key) < MIN_KEY:
            raise SettingsError(
                f"the key in {self._settings.key_file} is too short: it takes at least {MIN_KEY} characters"
            )
        return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
