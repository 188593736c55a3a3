"""Which channels of which assistants the entry proxy serves, and to whom: the allow-list behind /talk/."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from studio_operator.api.v1alpha1.assistant import Channels


@dataclass(frozen=True)
class TalkRoute:
    """One assistant: its `channels` (rest, socketio) and the `origins` of web sites that may use them (`*`: all)."""

    assistant: str
    channels: tuple[str, ...]
    origins: tuple[str, ...]


def talk_routes(assistants: Iterable[Mapping[str, Any]]) -> tuple[TalkRoute, ...]:
    """The routes of raw Assistants, sorted by name; none for one that is being deleted."""
    alive = (body for body in assistants if "deletionTimestamp" not in body["metadata"])
    found = (_route(body) for body in alive)
    return tuple(sorted((route for route in found if route.channels), key=lambda route: route.assistant))


def _route(body: Mapping[str, Any]) -> TalkRoute:
    name = body["metadata"]["name"]
    try:
        channels = Channels.model_validate((body.get("spec") or {}).get("channels") or {})
    except ValidationError:
        # The Assistant says what is wrong with it; until then nobody gets in by what cannot be read.
        return TalkRoute(name, (), ())
    default = ["rest", "socketio"] if channels.credentials_secret_ref else ["rest"]
    exposed = default if channels.expose is None else channels.expose
    return TalkRoute(name, tuple(sorted(exposed)), tuple(channels.cors.allowed_origins))
