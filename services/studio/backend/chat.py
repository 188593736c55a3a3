"""Trying an assistant: messages to its REST channel, and what the conversation store knows of the trial."""

import asyncio
import json
from typing import Any

import aiohttp
from prometheus_client import Counter
from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncEngine

from studio.auth.oidc import Person
from studio.backend.conversations.store import events_of
from studio.backend.manifests import why_not
from studio.backend.models.assistants import Assistant
from studio.backend.models.conversations import Button, ChatAnswer, ChatEvents, ChatMessage, Reply
from studio.contract import names
from studio.contract.labels import ENGINE_PORT
from studio.http.limits import KIB
from studio.http.problems import Refused

MESSAGES = Counter("studio_backend_chat_messages_total", "Messages of trials by outcome.", ["outcome"])

ANSWER_SECONDS = 45.0
ANSWER_BYTES = 512 * KIB
LONGEST_WAIT = 10.0
MAX_EVENTS = 500
_LOOK_SECONDS = 0.5
# Long polls cost the database a query twice a second each; further ones are answered at once.
_WAITING = 20


class Chat:
    """Trials of the assistants of one namespace."""

    def __init__(self, session: aiohttp.ClientSession, engine: AsyncEngine, *, namespace: str) -> None:
        self._session = session
        self._engine = engine
        self._namespace = namespace
        self._waiting = 0

    async def send(self, person: Person, assistant: Assistant, message: ChatMessage) -> ChatAnswer:
        """Say something and give the answers. `assistant` must be one that exists: its name makes the address.

        Raises Refused: 409 it does not run, 502 it answers nonsense, 503 it cannot be reached, 504 it takes too long.
        """
        if not assistant.available:
            raise Refused(409, f"{assistant.name} does not answer now. {why_not(assistant)}")
        outcome = "failed"
        try:
            answer = await self._ask(assistant.name, trial(person, message.sender), message.message)
            outcome = "answered"
            return ChatAnswer(messages=_replies(answer), sender=message.sender)
        except TimeoutError as error:
            outcome = "late"
            raise Refused(504, f"{assistant.name} did not answer within {ANSWER_SECONDS:.0f} s") from error
        except (aiohttp.ClientError, OSError) as error:
            outcome = "unreachable"
            raise Refused(503, f"{assistant.name} cannot be reached: {type(error).__name__}; try again") from error
        finally:
            MESSAGES.labels(outcome).inc()

    async def events(self, person: Person, assistant: str, sender: str, *, after: int, wait: float) -> ChatEvents:
        """What happened in the person's own trial after an event; waits up to `wait` seconds for something."""
        loop = asyncio.get_running_loop()
        until = loop.time() + (wait if self._waiting < _WAITING else 0.0)
        self._waiting += 1
        try:
            while True:
                async with self._engine.connect() as conn:
                    found = await events_of(
                        conn, names.assistant_id(self._namespace, assistant), trial(person, sender),
                        after_seq=after, limit=MAX_EVENTS,
                    )  # fmt: skip
                if found or loop.time() >= until:
                    return ChatEvents(events=found)
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._waiting -= 1

    async def _ask(self, assistant: str, sender: str, text: str) -> bytes:
        url = f"http://{assistant}.{self._namespace}.svc:{ENGINE_PORT}/webhooks/rest/webhook"
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS, connect=5)
        body = {"sender": sender, "message": text}
        async with self._session.post(url, json=body, timeout=timeout, allow_redirects=False) as response:
            if response.status != 200:  # noqa: PLR2004
                raise Refused(502, f"{assistant} answered with the status {response.status}: see the log of its run")
            answer = bytearray()
            async for chunk in response.content.iter_any():
                answer += chunk
                if len(answer) > ANSWER_BYTES:
                    raise Refused(502, f"{assistant} answered more than {ANSWER_BYTES} bytes")
            return bytes(answer)


def trial(person: Person, sender: str) -> str:
    """The sender as the engine knows it: with the person's subject, so that nobody reads the trials of others."""
    return f"trial:{person.subject}:{sender}"


def _replies(answer: bytes) -> list[Reply]:
    """The messages in an answer, which may be anything: an engine passes on what an action server says."""
    try:
        found = json.loads(answer)
        to_json(found)  # half a character, or what is nested too deeply, could not be passed on
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Refused(502, "the assistant's answer is not that of a REST channel")
    return [_reply(each) for each in found]


def _reply(found: dict[str, Any]) -> Reply:
    buttons = found.get("buttons")
    return Reply(
        text=_text(found.get("text")),
        image=_text(found.get("image")),
        buttons=[_button(each) for each in buttons if isinstance(each, dict)] if isinstance(buttons, list) else None,
        custom=found.get("custom"),
    )


def _button(found: dict[str, Any]) -> Button:
    return Button(title=_text(found.get("title")) or "", payload=_text(found.get("payload")))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
