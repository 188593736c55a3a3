"""Kafka and the conversation store from inside the ingestion pod, with the Studio's own login."""

import json
from collections.abc import Sequence

from studio.contract.labels import Component
from studio_e2e.space import Space

_BEGIN = """\
import asyncio, json, time
from functools import partial
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from studio.db.pool import connect, json_as_text, open_pool
from studio.events.connection import connection
from studio.ingestion import backfill
from studio.settings import IngestionSettings
settings = IngestionSettings.from_env()
login = connection(settings.broker, client_id="e2e")
"""
_PRODUCE = """\
async def main(topic, values):
    async with AIOKafkaProducer(**login) as producer:
        for value in values:
            await producer.send_and_wait(topic, value.encode(), key=b"e2e")
"""
_MAKE = """\
async def main(topic):
    admin = AIOKafkaAdminClient(**login)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()
"""
_DROP = """\
async def main(topic):
    admin = AIOKafkaAdminClient(**login)
    await admin.start()
    try:
        await admin.delete_topics([topic])
    finally:
        await admin.close()
"""
# What ingestion does by itself once rows are five minutes old.
_FILL = """\
async def main():
    async with await open_pool(
        settings.database, application_name="e2e", min_size=0, max_size=2, prepare=json_as_text
    ) as pool:
        trackers = partial(connect, settings.trackers, application_name="e2e")
        while await backfill.run(pool, trackers, holder="e2e", before=time.time()):
            pass
"""
_FORGET = """\
async def main(topics, assistants):
    conn = await connect(settings.database, application_name="e2e")
    await conn.execute("delete from dead_letters where topic = any($1::text[])", topics)
    await conn.execute("delete from external_assistants where assistant_id = any($1::text[])", assistants)
    await conn.close()
"""


def produce(space: Space, topic: str, values: Sequence[str]) -> None:
    """Write records to a topic, one after the other, to the same partition."""
    _run(space, _PRODUCE, topic, list(values))


def make(space: Space, topic: str) -> None:
    """Make a topic of one partition."""
    _run(space, _MAKE, topic)


def drop(space: Space, topic: str) -> None:
    """Delete a topic."""
    _run(space, _DROP, topic)


def fill_back(space: Space) -> None:
    """Compare the trackers of engines with the conversation store now, the newest rows included.

    By itself ingestion waits until a row is five minutes old. Only right once nothing is on its way any more.
    """
    _run(space, _FILL)


def forget(space: Space, *, topics: Sequence[str], assistants: Sequence[str]) -> None:
    """Remove the dead letters of topics, and assistants from elsewhere: nothing in the API does that."""
    _run(space, _FORGET, list(topics), list(assistants))


def _run(space: Space, script: str, *arguments: str | list[str]) -> None:
    pod = space.pod_of(Component.INGESTION)["metadata"]["name"]
    end = f"asyncio.run(main(*json.loads({json.dumps(arguments)!r})))\n"
    space.run("exec", "-i", pod, "--", "python3", "-", stdin=_BEGIN + script + end)
