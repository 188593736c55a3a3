"""Swaps of models under load: messages through the Service at a steady rate while models are activated in turn."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from measuring import model_stage
from stage.kubectl import Kubectl
from studio_e2e import assistants, chat, content
from studio_e2e.assistants import Assistant
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

MESSAGES_PER_SECOND = 20
GREETINGS = ("Good day, says the first.", "Good day, says the second.")
# Two engines beside each other and the load on two cores: a cold start takes its time.
SWAPPED_WITHIN = 180.0

# Every other message over a new connection, the rest over connections that are kept. A conversation has ten messages.
_TALK = """\
import asyncio, json, sys, time, aiohttp
url, message, rate = sys.argv[1], sys.argv[2], float(sys.argv[3])
async def say(session, how, number):
    began, told = time.time(), {"how": how}
    try:
        body = {"sender": f"{how}-{number // 20}", "message": message}
        async with session.post(url, json=body) as answer:
            answer.raise_for_status()
            told["heard"] = [part.get("text") for part in await answer.json()]
    except Exception as error:
        told["failed"] = f"{type(error).__name__} {getattr(error, 'errno', None) or ''}".strip()
    told["seconds"] = time.time() - began
    print(json.dumps(told), flush=True)
async def main():
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    patience, number, began, under_way = aiohttp.ClientTimeout(total=60), 0, time.time(), set()
    async with (aiohttp.ClientSession(timeout=patience) as kept,
                aiohttp.ClientSession(timeout=patience, connector=aiohttp.TCPConnector(force_close=True)) as fresh):
        while not ended.done():
            how, session = ("kept", kept) if number % 2 else ("new", fresh)
            task = asyncio.create_task(say(session, how, number))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            number += 1
            await asyncio.sleep(max(began + number / rate - time.time(), 0))
        await asyncio.gather(*under_way)
    print(json.dumps({"sent": number}), flush=True)
asyncio.run(main())
"""


@dataclass
class Talk:
    """What a sender heard; `sent` is 0 until it has ended. `texts` are the answers of the models that there are."""

    told: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    sent: int = 0
    texts: set[str] = field(default_factory=lambda: set(GREETINGS))

    def note(self, line: str) -> None:
        """Take in one line of the sender."""
        record = json.loads(line)
        self.sent = record.get("sent", self.sent)
        if "sent" not in record:
            self.told.append((time.time(), record))

    @property
    def failures(self) -> list[str]:
        """Messages that failed, and those whose answer is that of no model: the connection, and what came instead."""
        right = [[text] for text in self.texts]
        wrong = [record for _, record in self.told if record.get("heard") not in right]
        return [f"{record['how']}: {record.get('failed') or record.get('heard')}" for record in wrong]

    @property
    def lost(self) -> int:
        """Messages that were sent and have no answer at all, not even an error."""
        return self.sent - len(self.told)

    @property
    def seconds(self) -> list[float]:
        """How long each answer took."""
        return [record["seconds"] for _, record in self.told]

    def first(self, text: str, *, since: float) -> float | None:
        """The moment of the first answer with this text after `since`."""
        return next((at for at, record in self.told if at > since and record.get("heard") == [text]), None)


@dataclass(frozen=True)
class Swaps:
    """The seconds from each activation to the first answer of the other model, and the whole talk."""

    activations: list[float]
    talk: Talk


def swaps(kubectl: Kubectl, *, count: int = 20) -> Swaps:
    """Activate two models of an assistant in turn, `count` times: going back is the same operation."""
    with model_stage.namespace(kubectl, "swaps") as space:
        porter, before = Assistant(space, "porter"), ""
        for text in GREETINGS:
            porter.apply_with_content(content.porter(greeting=text))
            before = porter.wait_ready(other_than=before)["status"]["fingerprint"]
        assistants.wait_studio_ready(space)
        wait_single(porter)
        with talking(space, porter.name) as talk:
            eventually("somebody answers", lambda: len(talk.told) > MESSAGES_PER_SECOND, within=60)
            activations = []
            for number in range(count):
                activations.append(_swap(porter, talk, model=number % 2))
                failed = f"{len(talk.failures)} of {len(talk.told)} messages failed"
                print(f"swap {number + 1} of {count}: {activations[-1]:.1f} s; {failed}", flush=True)
            return Swaps(activations, talk)


def _swap(porter: Assistant, talk: Talk, *, model: int) -> float:
    began = time.time()
    porter.space.patch("assistant", porter.name, {"spec": {"running": {"model": str(model + 1)}}})
    other = f"model {model + 1} answers"
    first = eventually(other, lambda: talk.first(GREETINGS[model], since=began), within=SWAPPED_WITHIN, every=0.1)
    wait_single(porter)
    return first - began


def wait_single(porter: Assistant) -> None:
    """Until nothing is left of the run that answered before."""

    def single() -> bool:
        if len(porter.runs()) != 1:
            raise NotYet(f"{len(porter.runs())} runs")
        return True

    eventually("the old run is gone", single, within=SWAPPED_WITHIN)


@contextmanager
def talking(space: Space, assistant: str, *, per_second: float = MESSAGES_PER_SECOND) -> Iterator[Talk]:
    """Messages at a steady rate from inside a pod while the block runs; then the answers that are still due."""
    talk = Talk()
    with chat.sending(space, talk.note, _TALK, chat.url(assistant), "good day", str(per_second), patience=70):
        yield talk
