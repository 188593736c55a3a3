"""A Studio in memory that follows the API's contract, with its identity provider, behind an httpx2 transport."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

import httpx2
from tests.unit.services.cli import contract

URL = "http://studio.localhost:8180"
ISSUER = f"{URL}/auth/realms/studio"
NOW = 1_795_248_000.0  # 2026-11-21T08:00:00Z
STARTED = "2026-11-21T07:00:00Z"
Answer = httpx2.Response | Exception


class Clock:
    """Time that only passes by sleeping."""

    def __init__(self) -> None:
        self.now = NOW
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class FakeStudio:
    """`refresh_token` is the only one that is worth anything; each use makes another one."""

    clock: Clock = field(default_factory=Clock)
    tokens: set[str] = field(default_factory=lambda: {"good"})
    refresh_token: str = "refresh-0"
    refreshes: int = 0
    device_answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    assistants: dict[str, dict[str, Any]] = field(default_factory=dict)
    drafts: dict[str, dict[str, str]] = field(default_factory=dict)
    revisions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    trainings: dict[str, dict[str, Any]] = field(default_factory=dict)
    transitions: list[dict[str, Any]] = field(default_factory=list)
    # The model that makes every training needless.
    trained: dict[str, Any] | None = None
    # What is told of every run besides the usual.
    run: dict[str, Any] = field(default_factory=dict)
    models: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    model_bytes: bytes = b"a model"
    conversations: dict[int, dict[str, Any]] = field(default_factory=dict)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    # Path -> the connections to come: each a list of chunks, where an exception breaks it.
    streams: dict[str, list[list[str | BaseException]]] = field(default_factory=dict)
    # Given instead of the real answer, one after the other.
    instead: list[Answer] = field(default_factory=list)
    after_publish: Callable[[str], None] = lambda _name: None
    requests: list[httpx2.Request] = field(default_factory=list)

    @property
    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self.handle)

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        path = request.url.raw_path.decode().split("?")[0]
        if path.startswith("/auth/"):
            return self._identity(path, parse_qs(request.content.decode()))
        if self.instead:
            answer = self.instead.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        honest = self._answer(request, path)
        contract.check(request, honest)
        return honest

    def _answer(self, request: httpx2.Request, path: str) -> httpx2.Response:
        if path == "/api/v1/config":
            return _json(200, {"public_url": URL, "version": "1.2.3", "issuer": ISSUER, "web_client_id": "studio-web",
                               "cli_client_id": "studio-cli", "audience": "studio-api"})  # fmt: skip
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return problem(401, "Unauthorized", "send a bearer token")
        return self._api(request, path.removeprefix("/api/v1"))

    def add(self, name: str, *, files: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
        self.assistants[name] = {
            "name": name, "display_name": None, "language": "en", "source": "studio", "created_at": STARTED,
            "ready": True, "available": True, "paused": False, "deleting": False,
            "conditions": [condition("Ready", "True")],
            "fingerprint": "f0", "training": None, "model": None, "run": None, "urls": {}, "published_revision": None,
            "generation": 1, **fields,
        }  # fmt: skip
        self.drafts[name] = dict(files or {})
        self.revisions[name] = []
        return self.assistants[name]

    def sent(self, method: str) -> list[str]:
        """Paths below the API of the requests of a method."""
        return [r.url.path.removeprefix("/api/v1") for r in self.requests if r.method == method]

    def _identity(self, path: str, form: dict[str, list[str]]) -> httpx2.Response:
        base = "/auth/realms/studio"
        if path == f"{base}/.well-known/openid-configuration":
            return _json(200, {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token",
                               "device_authorization_endpoint": f"{ISSUER}/device",
                               "revocation_endpoint": f"{ISSUER}/revoke"})  # fmt: skip
        if path == f"{base}/device":
            return _json(200, {"device_code": "dev", "user_code": "WDJB-MJHT", "verification_uri": f"{ISSUER}/go",
                               "verification_uri_complete": f"{ISSUER}/go?user_code=WDJB-MJHT",
                               "expires_in": 600, "interval": 5})  # fmt: skip
        if path == f"{base}/revoke":
            self.refresh_token = "revoked"
            return _json(200, {})
        return self._token(form)

    def _token(self, form: dict[str, list[str]]) -> httpx2.Response:
        kind = form["grant_type"][0]
        if kind == "refresh_token":
            if form["refresh_token"][0] != self.refresh_token:
                return _json(400, {"error": "invalid_grant", "error_description": "Token is not active"})
            self.refreshes += 1
            self.refresh_token = f"refresh-{self.refreshes}"
            self.tokens = {f"access-{self.refreshes}"}
            return self._tokens(f"access-{self.refreshes}", self.refresh_token)
        if kind == "client_credentials":
            self.tokens = {"program"}
            return self._tokens("program", None)
        status, body = self.device_answers.pop(0)
        return _json(status, body)

    def _tokens(self, access: str, refresh: str | None) -> httpx2.Response:
        body = {"access_token": access, "expires_in": 300, "token_type": "Bearer"}
        return _json(200, body | ({"refresh_token": refresh} if refresh else {}))

    def _api(self, request: httpx2.Request, path: str) -> httpx2.Response:  # noqa: C901, PLR0911, PLR0912
        method, parts = request.method, [unquote(part) for part in path.strip("/").split("/")]
        query = dict(request.url.params)
        if path in self.streams:
            return self._stream(path)
        match method, *parts:
            case "GET", "me":
                return _json(200, {"subject": "s", "username": "ada", "name": "Ada", "email": None,
                                   "roles": ["developer"], "assistants": None,
                                   "permissions": ["assistants.read"]})  # fmt: skip
            case "GET", "status":
                return _json(200, self.status())
            case "GET", "assistants":
                return _page(list(self.assistants.values()), query)
            case "POST", "assistants":
                body = json.loads(request.content)
                if not re.fullmatch("[a-z][a-z0-9-]*", body["name"]):
                    return problem(422, "Unprocessable", "", [{"field": "name", "message": "must be lower case"}])
                return _json(201, self.add(body["name"], language=body["language"]))
            case _, "assistants", name, *_ if name not in self.assistants:
                return problem(404, "Not Found", f"there is no assistant {name}")
            case "GET", "assistants", name:
                return _json(200, self.assistants[name])
            case "DELETE", "assistants", name:
                del self.assistants[name]
                return _json(202, {"name": name})
            case _, "assistants", name, "content", *rest:
                return self._content(request, name, rest)
            case "POST", "assistants", name, "trainings" if self.trained:
                return _json(200, {"reason": "CacheHit", "message": "it is version 1", "model": self.trained})
            case "POST", "assistants", name, "trainings":
                return _json(201, self.training(f"{name}-t1-abcde", name))
            case "GET", "runs":
                return _page([run(query.get("assistant") or "hall") | self.run], query)
            case "POST", "assistants", name, "run", "start" | "stop" as what:
                return _json(200, run(name, "Queued" if what == "start" else "Draining"))
            case "GET", "assistants", name, "models":
                return _page(self.models.get(name, []), query)
            case "POST", "assistants", name, "models", version, "activate":
                return _json(200, model(version))
            case "PUT" | "DELETE", "assistants", name, "models", version, "tags", tag:
                found = next(each for each in self.models[name] if each["version"] == version)
                tags = set(found["tags"]) - {tag} | ({tag} if method == "PUT" else set())
                found["tags"] = sorted(tags)
                return httpx2.Response(204)
            case "GET", "assistants", name, "models", version, "download":
                etag = hashlib.sha256(b"a model").hexdigest()
                return httpx2.Response(200, content=iter([self.model_bytes]), headers={"etag": f'"{etag}"'})
            case "POST", "assistants", name, "chat":
                body = json.loads(request.content)
                buttons = [{"title": "Yes", "payload": "/affirm"}, {"title": "No", "payload": None}]
                reply = {"text": f"You said {body['message']}", "image": None, "custom": None, "buttons": buttons}
                return _json(200, {"messages": [reply], "sender": body["sender"]})
            case "GET", "trainings":
                trainings = [t for t in self.trainings.values() if query.get("assistant") in (None, t["assistant"])]
                return _page(trainings, query)
            case "GET", "trainings", training:
                return _json(200, self.trainings[training])
            case "POST", "trainings", training, "cancel":
                self.trainings[training]["state"] = "Cancelled"
                return _json(200, self.trainings[training])
            case "POST", "trainings", training, "retry":
                return _json(201, self.training("hall-t2-abcde", self.trainings[training]["assistant"]))
            case "POST", "trainings", training, "priority":
                self.trainings[training]["priority"] = json.loads(request.content)["priority"]
                return _json(200, self.trainings[training])
            case "GET", "trainings" | "runs", _, "transitions":
                return _json(200, {"items": self.transitions, "next_cursor": None})
            case _, "conversations", *rest:
                return self._conversations(request, rest, query)
            case "GET", "conversation-tags":
                return _json(200, {"items": [{"tag": "good", "count": 2}], "next_cursor": None})
            case "GET", "dead-letters":
                return _page(self.dead_letters, query)
            case "POST", "dead-letters", "replay":
                return _json(202, {"requested": len(self.dead_letters)})
            case "POST", "dead-letters", _, "replay":
                return _json(202, {"requested": 1})
        return problem(404, "Not Found", path)

    def training(self, training: str, assistant: str, **fields: Any) -> dict[str, Any]:
        self.trainings[training] = {
            "id": training, "assistant": assistant, "fingerprint": "f1", "state": "Succeeded", "reason": "Trained",
            "message": "", "attempt": 1, "position": None, "requested_at": STARTED, "started_at": STARTED,
            "finished_at": "2026-11-21T07:01:05Z", "model_version": "1", **fields,
        }  # fmt: skip
        return self.trainings[training]

    def status(self) -> dict[str, Any]:
        return {
            "name": "studio", "namespace": "shop", "version": "1.2.3", "ready": True,
            "assistants": len(self.assistants),
            "conditions": [condition("Ready", "True"), condition("Degraded", "False")],
            "components": [{"name": "backend", "ready": 1, "desired": 1}], "running_slots": 2,
            "ingestion": {"lag": 0, "dead_letters": 0},
        }  # fmt: skip

    def _content(self, request: httpx2.Request, name: str, rest: list[str]) -> httpx2.Response:
        draft, revisions = self.drafts[name], self.revisions[name]
        changed = not revisions or revisions[-1]["files"] != draft
        match request.method, *rest:
            case ("GET",):
                listed = [
                    {"path": p, "size": len(t), "updated_at": STARTED, "updated_by": "ada"} for p, t in draft.items()
                ]
                published = {k: v for k, v in revisions[-1].items() if k != "files"} if revisions else None
                return _json(200, {"draft": {"files": listed, "changed": changed}, "published": published})
            case "GET", "archive":
                number = request.url.params.get("revision")
                return httpx2.Response(200, content=pack(revisions[int(number) - 1]["files"] if number else draft))
            case "PUT", "archive":
                with zipfile.ZipFile(io.BytesIO(request.content)) as archive:
                    self.drafts[name] = {n: archive.read(n).decode() for n in archive.namelist()}
                return _json(200, {"files": sorted(self.drafts[name]), "left_out": []})
            case "POST", "publish":
                if not changed:
                    return problem(409, "Conflict", "nothing changed")
                message = json.loads(request.content)["message"]
                revisions.append({**revision(len(revisions) + 1, dict(draft)), "message": message})
                self.after_publish(name)
                return _json(201, {"revision": len(revisions), "sha256": "x"})
        return problem(404, "Not Found", str(request.url))

    def _conversations(  # noqa: PLR0911
        self, request: httpx2.Request, rest: list[str], query: dict[str, str]
    ) -> httpx2.Response:
        match request.method, *rest:
            case ("GET",):
                known = self.conversations.values()
                return _page([{k: v for k, v in c.items() if k not in ("events", "flag_list")} for c in known], query)
            case "GET", number:
                return _json(200, self.conversations[int(number)])
            case "PUT" | "DELETE", _, "tags", _:
                return httpx2.Response(204)
            case "POST", _, "flags":
                unresolved = {"created_by": "ada", "created_at": STARTED, "resolved_by": None, "resolved_at": None}
                return _json(201, {"id": 7, "event_seq": None, **unresolved, **json.loads(request.content)})
            case "DELETE", _, "flags", _:
                return httpx2.Response(204)
            case "DELETE", number:
                del self.conversations[int(number)]
                return httpx2.Response(204)
        return problem(404, "Not Found", str(request.url))

    def _stream(self, path: str) -> httpx2.Response:
        chunks = self.streams[path].pop(0)

        def body() -> Iterator[bytes]:
            for chunk in chunks:
                if isinstance(chunk, BaseException):
                    raise chunk
                yield chunk.encode()

        return httpx2.Response(200, content=body(), headers={"content-type": "text/event-stream"})


def model(version: str, **fields: Any) -> dict[str, Any]:
    return {"version": version, "fingerprint": "f1", "sha256": "ab" * 32, "size": 3_000_000, "trained_at": STARTED,
            "training": "hall-t1-abcde", "engine_image": "engine", "seconds": 95.0, "parent": None, "tags": [],
            "active": True, **fields}  # fmt: skip


def run(assistant: str, state: str = "Ready") -> dict[str, Any]:
    return {"id": f"{assistant}-r1-abcde", "assistant": assistant, "model_version": "1", "model_sha256": "ab" * 32,
            "state": state, "reason": state, "message": "the engine answers", "attempt": 1, "serving": state == "Ready",
            "position": None, "waits_for": "", "requested_at": STARTED, "ready_at": None}  # fmt: skip


def revision(number: int, files: dict[str, str]) -> dict[str, Any]:
    return {"revision": number, "sha256": "x", "published_at": STARTED, "published_by": "ada", "message": "",
            "files": files}  # fmt: skip


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "last_transition_time": STARTED}


def event(name: str, data: Any, number: int | None = None) -> str:
    """A server-sent event as the back end writes it."""
    return (f"id: {number}\n" if number is not None else "") + f"event: {name}\ndata: {json.dumps(data)}\n\n"


def problem(status: int, title: str, detail: str, errors: list[dict[str, str]] | None = None) -> httpx2.Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "request_id": "r-1",
            "errors": errors or []}  # fmt: skip
    return httpx2.Response(status, json=body, headers={"content-type": "application/problem+json"})


def pack(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def _json(status: int, body: Any) -> httpx2.Response:
    return httpx2.Response(status, json=body)


def _page(items: list[Any], query: dict[str, str]) -> httpx2.Response:
    limit, start = int(query["limit"]), int(query.get("cursor", 0))
    end = start + limit
    return _json(200, {"items": items[start:end], "next_cursor": str(end) if end < len(items) else None})
