"""Records that no engine would write, sent to a Studio's topic of events from inside a pod."""

from studio.contract.labels import Component
from studio_e2e.space import Space

_SCRIPT = """\
import asyncio, os
from aiokafka import AIOKafkaProducer
from studio.events.connection import connection
from studio.settings import EventBrokerSettings, EventsTopicSettings
async def send():
    login = connection(EventBrokerSettings.from_env(os.environ), client_id="e2e")
    async with AIOKafkaProducer(**login) as producer:
        await producer.send_and_wait(EventsTopicSettings.from_env(os.environ).name, {record!r})
asyncio.run(send())
"""


def send(space: Space, record: str) -> None:
    """Put one record into the topic of conversation events. Raises ClusterError."""
    pod = space.pod_of(Component.INGESTION)["metadata"]["name"]
    space.run("exec", "-i", pod, "--", "python3", "-", stdin=_SCRIPT.format(record=record.encode()))
