"""Who may do what: generated from the table and from the routes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from joserfc.jwk import RSAKey
from tests.support.serving import Client
from tests.unit.services.backend.stage import OIDC, ROLES, Stage

from studio.backend.authorisation import ALLOWED, WHOLE_STUDIO, Operation, Role, Scope, permissions

PUBLIC = {("GET", "/api/v1/config"), ("GET", "/api/v1/openapi.json")}
TECHNICAL = {"/healthz", "/readyz", "/metrics"}

# A request for each operation, about the assistant `concierge` where it is about one.
REQUESTS: dict[Operation, tuple[str, str, Any]] = {
    Operation.ME_READ: ("GET", "/me", None),
    Operation.STATUS_READ: ("GET", "/status", None),
    Operation.ASSISTANTS_READ: ("GET", "/assistants/concierge", None),
    Operation.ASSISTANTS_CREATE: ("POST", "/assistants", {"name": "concierge"}),
    Operation.ASSISTANTS_DELETE: ("DELETE", "/assistants/concierge", None),
    Operation.CONTENT_READ: ("GET", "/assistants/concierge/content", None),
    Operation.CONTENT_WRITE: ("DELETE", "/assistants/concierge/content/files/none.yml", None),
    Operation.CONTENT_PUBLISH: ("POST", "/assistants/concierge/content/publish", {}),
    Operation.TRAININGS_READ: ("GET", "/trainings/{training}", None),
    Operation.TRAININGS_REQUEST: ("POST", "/assistants/concierge/trainings", None),
    Operation.TRAININGS_CANCEL: ("POST", "/trainings/{training}/cancel", None),
    Operation.TRAININGS_PRIORITISE: ("POST", "/trainings/{training}/priority", {"priority": 1}),
    Operation.LOGS_READ: ("GET", "/trainings/{training}/log", None),
    Operation.MODELS_READ: ("GET", "/assistants/concierge/models", None),
    Operation.MODELS_ACTIVATE: ("POST", "/assistants/concierge/models/7/activate", None),
    Operation.MODELS_DOWNLOAD: ("GET", "/assistants/concierge/models/7/download", None),
    Operation.MODELS_TAG: ("PUT", "/assistants/concierge/models/1/tags/x", None),
    Operation.RUNS_READ: ("GET", "/runs", None),
    Operation.RUNS_START: ("POST", "/assistants/concierge/run/start", None),
    Operation.RUNS_STOP: ("POST", "/assistants/concierge/run/stop", None),
    Operation.CHAT_USE: ("POST", "/assistants/concierge/chat", {"sender": "me", "message": "hi"}),
    Operation.CONVERSATIONS_READ: ("GET", "/conversations/{conversation}", None),
    Operation.CONVERSATIONS_ANNOTATE: ("PUT", "/conversations/{conversation}/tags/x", None),
    Operation.CONVERSATIONS_DELETE: ("DELETE", "/conversations/{conversation}", None),
    Operation.DEAD_LETTERS_READ: ("GET", "/dead-letters", None),
    Operation.DEAD_LETTERS_REPLAY: ("POST", "/dead-letters/replay", {}),
    Operation.AUDIT_READ: ("GET", "/audit", None),
}
# These are about no assistant, or answer a list that is only shorter.
NOT_ABOUT_ONE = {Operation.ME_READ, Operation.STATUS_READ, Operation.RUNS_READ}


def operations(dependant: Dependant) -> Iterator[Operation]:
    """The operations that a route declares."""
    for inner in dependant.dependencies:
        operation = getattr(inner.call, "operation", None)
        if operation is not None:
            yield operation
        yield from operations(inner)


async def test_every_route_declares_exactly_one_operation(stage: Stage) -> None:
    described = {
        (method.upper(), path) for path, methods in stage.app.openapi()["paths"].items() for method in methods
    }  # fmt: skip
    declared: dict[tuple[str, str], list[Operation]] = {}
    for context in iter_route_contexts(stage.app.routes):
        if isinstance(context.original_route, APIRoute):
            assert context.path is not None
            for method in context.methods or ():
                declared[method, context.path.replace(":path", "")] = list(operations(context.original_route.dependant))
    assert described - PUBLIC <= declared.keys(), "a route is described that was not looked at"
    for (method, path), found in declared.items():
        if (method, path) in PUBLIC or path in TECHNICAL or path.startswith("/internal/"):
            assert found == []
        else:
            assert len(found) == 1, f"{method} {path} must declare what it does by may(Operation.…)"
    assert {operation for found in declared.values() for operation in found} == set(Operation)


def test_the_table() -> None:
    """Written out, so that a change of the table is a change of this test."""
    viewer = {"me.read", "status.read", "assistants.read", "content.read", "trainings.read", "logs.read", "models.read",
              "runs.read"}  # fmt: skip
    analyst = viewer | {"conversations.read"}
    annotator = analyst | {"conversations.annotate"}
    designer = viewer | {"content.write", "content.publish", "trainings.request", "trainings.cancel", "runs.start",
                         "chat.use"}  # fmt: skip
    developer = designer | annotator | {"assistants.create", "assistants.delete", "trainings.prioritise", "runs.stop",
                                        "models.activate", "models.download", "models.tag",
                                        "dead_letters.read"}  # fmt: skip
    admin = developer | {"conversations.delete", "dead_letters.replay", "audit.read"}
    wanted = dict(zip(ROLES, (viewer, analyst, annotator, designer, developer, admin), strict=True))
    assert {role.value: {each.value for each in found} for role, found in ALLOWED.items()} == wanted


def test_roles_add_up_and_unknown_ones_give_nothing() -> None:
    assert permissions(["analyst", "designer"]) == ALLOWED[Role.ANALYST] | ALLOWED[Role.DESIGNER]
    assert permissions(["offline_access", "root", "Admin", ""]) == {Operation.ME_READ}
    assert Scope(None).sees("x")
    assert not Scope(frozenset()).sees("x")
    assert Scope(frozenset({"a"})).assistant_ids("ns") == frozenset({"a", "ns.a"})


async def places(stage: Stage) -> dict[str, str]:
    """What the requests are about."""
    from tests.unit.services.backend.test_conversations import store
    from tests.unit.services.backend.test_model_service import claim, train, want

    stage.put_assistant()
    await want(stage, "a")
    _, made = await stage.admin("POST", "/api/v1/assistants/concierge/trainings")
    await train(stage, await claim(stage), b"model")
    return {"training": made["id"], "conversation": str(await store(stage, "mine"))}


async def ask(stage: Stage, token: str | None, operation: Operation, places: dict[str, str]) -> tuple[int, Any]:
    method, path, body = REQUESTS[operation]
    client = Client(stage.session, stage.base, token)
    return await client(method, f"/api/v1{path.format(**places)}", json=body)


async def test_every_operation_for_every_role_with_own_and_foreign_assistants(stage: Stage) -> None:
    known = await places(stage)
    wrong = []
    # The destructive ones last, and again a fresh object after each.
    order = sorted(Operation, key=lambda operation: operation.value.endswith("delete"))
    for operation in order:
        for role in ROLES:
            for assistants in (None, ["concierge"], ["other"]):
                status, _ = await ask(stage, stage.people.token(role, assistants=assistants), operation, known)
                allowed = operation in ALLOWED[Role(role)]
                if (
                    allowed
                    and operation in {Operation.ASSISTANTS_DELETE, Operation.CONVERSATIONS_DELETE}
                    and status < 300
                ):
                    known |= await renewed(stage)
                expected = _expected(operation, allowed=allowed, assistants=assistants)
                if (status if status in (401, 403, 404) else 200) not in expected:
                    wrong.append((operation.value, role, assistants, status, expected))
    assert wrong == []


async def renewed(stage: Stage) -> dict[str, str]:
    from tests.unit.services.backend.test_conversations import store

    stage.put_assistant()
    known = await stage.pool.fetchval("select id from conversations where sender_id = 'mine'")
    return {"conversation": str(known or await store(stage, "mine"))}


def _expected(operation: Operation, *, allowed: bool, assistants: list[str] | None) -> set[int]:
    """The statuses that are right; 200 stands for whatever is none of 401, 403 and 404."""
    if not allowed:
        return {403}
    # There is no such file and no such model: 404 comes from behind the gate.
    behind = {404} if operation in {
        Operation.CONTENT_WRITE, Operation.MODELS_ACTIVATE, Operation.MODELS_DOWNLOAD
    } else {200}  # fmt: skip
    if assistants is None:
        return behind
    if operation in WHOLE_STUDIO:
        return {403}
    if assistants == ["concierge"] or operation in NOT_ABOUT_ONE:
        return behind
    return {403} if operation is Operation.ASSISTANTS_CREATE else {404}


async def test_no_operation_without_a_good_token(stage: Stage) -> None:
    people = stage.people
    stranger = RSAKey.generate_key(2048, {"kid": "test", "use": "sig", "alg": "RS256"})
    none = ".".join(_part(part) for part in (
        {"alg": "none", "kid": "test"},
        {"iss": OIDC.issuer, "aud": OIDC.audience, "sub": "x", "exp": 9999999999, "roles": ["admin"]},
    )) + "."  # fmt: skip
    tokens = {
        "missing": None,
        "expired": people.token("admin", exp=1_700_000_000),
        "not yet": people.token("admin", nbf=9_999_999_999),
        "foreign issuer": people.token("admin", iss="https://evil.example.com/realms/studio"),
        "wrong audience": people.token("admin", aud="account"),
        "no audience": people.token("admin", aud=None),
        "no expiry": people.token("admin", exp=None),
        "foreign key": people.maker.token("x", key=stranger, iss=OIDC.issuer, aud=OIDC.audience, roles=["admin"]),
        "none": none,
        "a service account": stage.tokens.token("system:serviceaccount:ns:studio-backend"),
        "an ID token": people.token("admin", typ="ID"),
        "nonsense": "a.b.c",
    }
    wrong = []
    for operation in Operation:
        for kind, token in tokens.items():
            status, problem = await ask(stage, token, operation, {"training": "t-1", "conversation": "1"})
            if status != 401 or problem["title"] != "Unauthorized":
                wrong.append((operation.value, kind, status))
    assert wrong == []


async def test_roles_of_no_meaning_allow_nothing(stage: Stage) -> None:
    token = stage.people.token("offline_access", "uma_authorization")
    for operation in Operation:
        status, _ = await ask(stage, token, operation, {"training": "t-1", "conversation": "1"})
        assert status == (200 if operation is Operation.ME_READ else 403)


@pytest.mark.parametrize("role", ROLES)
async def test_people_are_told_what_they_may_do(stage: Stage, role: str) -> None:
    _, me = await stage.person(role, "offline_access", subject="dora", assistants=["b", "a"])("GET", "/api/v1/me")
    assert me["permissions"] == sorted(operation.value for operation in ALLOWED[Role(role)])
    assert (me["username"], me["roles"], me["assistants"]) == ("dora", [role], ["a", "b"])


def _part(content: dict[str, Any]) -> str:
    import base64

    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
