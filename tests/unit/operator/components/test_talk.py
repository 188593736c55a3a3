"""Which channels of which assistants are served to people outside."""

from typing import Any

from studio_operator.components.talk import TalkRoute, talk_routes

ALLOWED = "https://www.example.com"


def assistant(name: str, channels: Any = None, **metadata: Any) -> dict[str, Any]:
    spec = {} if channels is None else {"channels": channels}
    return {"metadata": {"name": name, **metadata}, "spec": spec}


def test_which_routes_there_are() -> None:
    routes = talk_routes(
        [
            assistant("plain"),
            assistant("going", deletionTimestamp="now"),
            assistant("hidden", {"expose": []}),
            assistant("with-channels", {"credentialsSecretRef": {"name": "channels"}}),
            assistant("chosen", {"expose": ["socketio"], "cors": {"allowedOrigins": [ALLOWED]}}),
            assistant("broken", {"cors": {"allowedOrigins": ['https://x"; }']}}),
            assistant("nonsense", ["x"]),
        ]
    )
    assert routes == (
        TalkRoute("chosen", ("socketio",), (ALLOWED,)),
        TalkRoute("plain", ("rest",), ()),
        TalkRoute("with-channels", ("rest", "socketio"), ()),
    )
