"""A gate in the database: every transaction that changes something stands still right before its commit.

Constraint triggers that are deferred run when a transaction is committed
(https://www.postgresql.org/docs/15/sql-createtrigger.html), so that nothing of it can be seen by others yet.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from studio_e2e.database import Database
from studio_e2e.waiting import eventually

EVERYTHING = "*"
TABLES = ("assistants", "contents", "items", "models", "garbage")
# Who waits says so as its application's name, which the server cuts off after 63 bytes. A heartbeat is no step.
_INSTALL = """
create schema gate;
create table gate.open (step text primary key);
create function gate.hold() returns trigger language plpgsql security definer as $$
declare
  process text := current_setting('application_name');
  before jsonb := to_jsonb(old) - 'lease_until';
  after jsonb := to_jsonb(new) - 'lease_until';
  folder text := split_part(coalesce(after, before) ->> 'object_key', '/', 1);
  changed text := (select string_agg(key, ' ') from jsonb_each(after) where before -> key is distinct from value);
  what text := case tg_table_name when 'items' then concat_ws(' ', after ->> 'state', after ->> 'reason')
                                  when 'assistants' then changed else folder end;
  held text := left(concat_ws(' ', process, tg_table_name, lower(tg_op), what), 61);
begin
  if before = after or process !~ '(consumer|orchestrator)$' or current_setting('gate.passed', true) = 'yes' then
    return null;
  end if;
  perform set_config('gate.passed', 'yes', true);
  perform set_config('application_name', '> ' || held, true);
  while not exists (select from gate.open where step in ('*', held)) loop
    perform pg_sleep(0.02);
  end loop;
  perform set_config('application_name', process, true);
  return null;
end $$;
"""
_TRIGGER = """
create constraint trigger gate after insert or update or delete on {table}
deferrable initially deferred for each row execute function gate.hold();
"""
_HELD = """
select pid, substr(application_name, 3) as step, host(client_addr) as address
from pg_stat_activity where application_name like '> %'
"""


@dataclass(frozen=True)
class HeldCommit:
    """A transaction before its commit: the server's process, who does what, and the address of the pod."""

    pid: int
    step: str
    address: str


class DatabaseGate:
    """The gate of one database, closed for everything but what has been let through."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def held(self) -> list[HeldCommit]:
        """Who stands at it now."""
        return [HeldCommit(**row) for row in self._database.fetch(_HELD)]

    def open_for(self, step: str) -> None:
        """Let this step pass, now and later."""
        self._database.execute("insert into gate.open values ($1) on conflict do nothing", step)

    def roll_back(self, commit: HeldCommit) -> None:
        """End the server's process, and the transaction with it."""
        self._database.execute("select pg_terminate_backend($1)", commit.pid)

    def wait_over(self, commit: HeldCommit) -> None:
        """Until its transaction has ended, one way or the other."""
        at_work = "select from pg_stat_activity where pid = $1 and state <> 'idle'"
        eventually(f"{commit} is over", lambda: not self._database.fetch(at_work, commit.pid), within=20, every=0.05)

    def wait_gone(self, commit: HeldCommit, *, within: float) -> None:
        """Until the server's process has ended, and the locks of its session with it."""
        alive = "select from pg_stat_activity where pid = $1"
        eventually(f"{commit} is gone", lambda: not self._database.fetch(alive, commit.pid), within=within)


@contextmanager
def closed(database: Database) -> Iterator[DatabaseGate]:
    """Close the gate while the block runs; nothing is left of it."""
    database.execute(_INSTALL)
    for table in TABLES:
        database.execute(_TRIGGER.format(table=table))
    gate = DatabaseGate(database)
    try:
        yield gate
    finally:
        # Who waits holds locks on what is dropped.
        gate.open_for(EVERYTHING)
        eventually("nobody is held", lambda: not gate.held(), within=20, every=0.05)
        # One after the other: who has changed a table asks at the gate next, so nobody may lock both in another order.
        for table in TABLES:
            database.execute(f"drop trigger gate on {table}")
        database.execute("drop schema gate cascade")
