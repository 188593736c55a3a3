"""What is true of the model service in the end, to be compared with the same story undisturbed."""

from typing import Any

import asyncpg
from tests.fakes.kube import FakeKube
from tests.fakes.storage import FakeStore

from studio.kube.kinds import JOB, SERVICE
from studio.model_service.consumers.pod_facts import job_facts
from studio.model_service.items import FINAL_STATES, transitions

_TABLES = ("transitions", "items", "models", "contents", "garbage", "assistants", "consumers")


async def forget(conn: asyncpg.Pool) -> None:
    """Empty the database, for the same story once more."""
    await conn.execute("; ".join(f"delete from {table}" for table in _TABLES))


async def expire(conn: asyncpg.Pool) -> None:
    """As if time had passed: leases run out, and so does the time of what was stored and never needed."""
    await conn.execute("update items set lease_until = now() - interval '1 s' where lease_until is not null")
    await conn.execute("update items set retry_at = now() where retry_at is not null")
    await conn.execute("update garbage set due_at = now()")


async def picture(conn: asyncpg.Pool, kube: FakeKube, store: FakeStore) -> Any:
    """Everything that matters, without times, fences and uids; call it after `expire` and a sweep.

    Checks on the way what holds for every story: transitions are legal, each object in the store is named by one row,
    no Job lives on without its item.
    """
    items = await conn.fetch(
        """select id, kind, state, reason, message, attempt, fingerprint, model_version, stop_requested, stop_reason,
                  holder is not null as held, log_key from items order by kind, seq"""
    )
    models = await conn.fetch("select version, fingerprint, training, object_key, tags from models order by version")
    contents = await conn.fetch("select fingerprint, object_key from contents order by fingerprint")
    assistants = await conn.fetch("select name, serving, service_reason, removing, removed_at is null from assistants")
    await _check_transitions(conn)
    drawn: dict[str, Any] = {
        "items": [dict(row) for row in items],
        "models": [dict(row) for row in models],
        "contents": [dict(row) for row in contents],
        "assistants": [dict(row) for row in assistants],
    }
    named = [row["object_key"] for row in (*models, *contents)] + [row["log_key"] for row in items]
    drawn["objects"] = sorted(store.objects)
    assert drawn["objects"] == sorted(filter(None, named)), "each object is named by one row, and is there"
    jobs = [job_facts(body) for (kind, _, _), body in kube.objects.items() if kind == JOB]
    active = {f"{row['id']}-{row['attempt']}" for row in items if row["state"] not in FINAL_STATES}
    assert {job.name for job in jobs if not job.ended} <= active, "no Job lives on without its item"
    drawn["services"] = [
        (name, body["spec"]["selector"]) for (kind, _, name), body in kube.objects.items() if kind == SERVICE
    ]
    return drawn


async def _check_transitions(conn: asyncpg.Pool) -> None:
    rows = await conn.fetch(
        "select item, kind, from_state, to_state from transitions join items on id = item order by transitions.seq"
    )
    states: dict[str, str | None] = {}
    for row in rows:
        before = states.get(row["item"])
        assert before == row["from_state"], f"{row['item']}: a transition from {row['from_state']} in state {before}"
        if before not in (None, row["to_state"]):
            assert row["to_state"] in transitions(row["kind"])[before], f"{row['item']}: {before} to {row['to_state']}"
        states[row["item"]] = row["to_state"]
    items = await conn.fetch("select id, state from items")
    assert {row["id"]: row["state"] for row in items} == states, "the audit ends where the item is"
