"""Conversations on a real database: filters, pages, annotations, deletion, dead letters, the chat."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.services.backend.stage import Stage

START = datetime(2026, 11, 1, tzinfo=UTC)
OWN = "ns.concierge"


async def store(
    stage: Stage,
    sender: str,
    *,
    assistant_id: str = OWN,
    at: datetime = START,
    text: str = "hello",
    intent: str = "greet",
    confidence: float = 0.9,
    action: str = "utter_greet",
    channel: str = "rest",
) -> int:
    """A conversation of one message and its answer, as ingestion stores it."""
    async with stage.pool.acquire() as conn, conn.transaction():
        source = await conn.fetchval(
            "insert into event_sources (topic, incarnation) values ('studio-events', 1) "
            "on conflict (topic, incarnation) do update set topic = excluded.topic returning id"
        )
        offset = await conn.fetchval("select count(*) from events")
        rows = [("user", intent, confidence, None, text), ("bot", None, None, action, "Hello!")]
        for number, (kind, an_intent, a_confidence, an_action, words) in enumerate(rows):
            await conn.execute(
                """insert into events (source, partition, "offset", assistant_id, sender_id, at, type, intent,
                                       confidence, action, text, channel, data)
                   values ($1, 0, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)""",
                source, offset + number, assistant_id, sender, at + timedelta(seconds=number), kind, an_intent,
                a_confidence, an_action, words, channel, {"event": kind},
            )  # fmt: skip
        found: int = await conn.fetchval(
            """insert into conversations (assistant_id, sender_id, channel, started_at, last_event_at, user_messages,
                                          bot_messages, events, min_confidence, preview, intents, actions)
               values ($1, $2, $3, $4, $5, 1, 1, 2, $6, $7, $8, $9) returning id""",
            assistant_id, sender, channel, at, at + timedelta(seconds=1), confidence, text, [intent], [action],
        )  # fmt: skip
        return found


async def senders(stage: Stage, *roles: str, assistants: list[str] | None = None, **query: Any) -> list[str]:
    client = stage.person(*(roles or ("admin",)), assistants=assistants)
    status, page = await client("GET", "/api/v1/conversations", params={k: str(v) for k, v in query.items()})
    assert status == 200, page
    return [item["sender_id"] for item in page["items"]]


async def test_every_filter_finds_what_it_should(stage: Stage) -> None:
    await store(stage, "greeter", at=START, text="hello my friend")
    other = await store(
        stage, "asker", at=START + timedelta(days=2), text="where is the nearest tram", intent="ask_way",
        confidence=0.3, action="utter_way", channel="socketio",
    )  # fmt: skip
    await store(stage, "stranger", assistant_id="acme.elsewhere", at=START + timedelta(days=4))
    assert await senders(stage) == ["stranger", "asker", "greeter"]
    assert await senders(stage, assistant="concierge") == ["asker", "greeter"]
    assert await senders(stage, assistant="acme.elsewhere") == ["stranger"]
    later: dict[str, Any] = {"from": (START + timedelta(days=1)).isoformat()}
    assert await senders(stage, **later) == ["stranger", "asker"]
    assert await senders(stage, to=(START + timedelta(days=1)).isoformat()) == ["greeter"]
    assert await senders(stage, intent="ask_way") == ["asker"]
    assert await senders(stage, action="utter_way") == ["asker"]
    assert await senders(stage, channel="socketio") == ["asker"]
    assert await senders(stage, text="tram") == ["asker"]
    assert await senders(stage, text='"my friend"') == ["greeter"]
    assert await senders(stage, max_confidence=0.5) == ["asker"]
    assert await senders(stage, min_confidence=0.5) == ["stranger", "greeter"]
    await stage.admin("PUT", f"/api/v1/conversations/{other}/tags/lost")
    assert await senders(stage, tag="lost") == ["asker"]
    await stage.admin("POST", f"/api/v1/conversations/{other}/flags", json={"reason": "look"})
    assert await senders(stage, flagged="true") == ["asker"]
    assert await senders(stage, flagged="false") == ["stranger", "greeter"]
    assert await senders(stage, intent="ask_way", channel="rest") == []


async def test_pages_stay_stable_while_conversations_come(stage: Stage) -> None:
    for number in range(6):
        await store(stage, f"s{number}", at=START + timedelta(minutes=number // 2))
    seen: list[str] = []
    query: dict[str, str] = {"limit": "2"}
    while True:
        _, page = await stage.admin("GET", "/api/v1/conversations", params=query)
        seen += [item["sender_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        await store(stage, f"late-{len(seen)}", at=START + timedelta(days=1))
        query = {"limit": "2", "cursor": page["next_cursor"]}
    assert seen == ["s5", "s4", "s3", "s2", "s1", "s0"]


async def test_people_see_the_conversations_of_their_assistants(stage: Stage) -> None:
    own = await store(stage, "mine")
    foreign = await store(stage, "yours", assistant_id="ns.other")
    await store(stage, "theirs", assistant_id="acme.elsewhere")
    assert await senders(stage, "analyst", assistants=["concierge"]) == ["mine"]
    assert await senders(stage, "analyst", assistants=["concierge"], assistant="other") == []
    assert await senders(stage, "analyst", assistants=["acme.elsewhere"]) == ["theirs"]
    assert await senders(stage, "analyst", assistants=[]) == []
    client = stage.person("admin", assistants=["concierge"])
    assert (await client("GET", f"/api/v1/conversations/{own}"))[0] == 200
    for method, path, body in (
        ("GET", "", None), ("DELETE", "", None), ("PUT", "/tags/x", None), ("DELETE", "/tags/x", None),
        ("POST", "/flags", {"reason": "x"}), ("DELETE", "/flags/1", None),
    ):  # fmt: skip
        status, problem = await client(method, f"/api/v1/conversations/{foreign}{path}", json=body)
        assert (status, problem["detail"]) == (404, f"there is no conversation {foreign}")
    await stage.admin("PUT", f"/api/v1/conversations/{foreign}/tags/secret")
    assert (await client("GET", "/api/v1/conversation-tags"))[1]["items"] == []


async def test_a_conversation_with_its_events_and_annotations(stage: Stage) -> None:
    number = await store(stage, "mine")
    annotator = stage.person("annotator", subject="anna")
    for tag in ("good one", "good one", "später"):
        assert (await annotator("PUT", f"/api/v1/conversations/{number}/tags/{tag}"))[0] == 204
    assert (await annotator("DELETE", f"/api/v1/conversations/{number}/tags/später"))[0] == 204
    assert (await stage.admin("GET", "/api/v1/conversation-tags"))[1]["items"] == [{"tag": "good one", "count": 1}]
    _, found = await annotator("GET", f"/api/v1/conversations/{number}")
    assert [(event["type"], event["text"], event["intent"], event["action"]) for event in found["events"]] == [
        ("user", "hello", "greet", None), ("bot", "Hello!", None, "utter_greet"),
    ]  # fmt: skip
    assert found["events"][0]["data"] == {"event": "user"}
    seq = found["events"][1]["seq"]
    status, flag = await annotator(
        "POST", f"/api/v1/conversations/{number}/flags", json={"reason": "rude", "event_seq": seq}
    )
    assert (status, flag["event_seq"], flag["created_by"], flag["resolved_at"]) == (201, seq, "anna", None)
    bad = {"reason": "x", "event_seq": 10**9}
    assert (await annotator("POST", f"/api/v1/conversations/{number}/flags", json=bad))[0] == 422
    path = f"/api/v1/conversations/{number}/flags/{flag['id']}"
    assert [(await annotator("DELETE", path))[0] for _ in range(2)] == [204, 204]
    _, found = await annotator("GET", f"/api/v1/conversations/{number}")
    assert (found["flags"], found["flag_list"][0]["resolved_by"], found["tags"]) == (0, "anna", ["good one"])
    assert (await annotator("DELETE", f"/api/v1/conversations/{number}"))[0] == 403


async def test_deletion_leaves_a_tombstone_and_nothing_else(stage: Stage) -> None:
    number = await store(stage, "mine", at=datetime(2050, 1, 1, tzinfo=UTC))
    kept = await store(stage, "yours")
    await stage.admin("PUT", f"/api/v1/conversations/{number}/tags/x")
    assert (await stage.admin("DELETE", f"/api/v1/conversations/{number}"))[0] == 204
    assert (await stage.admin("DELETE", f"/api/v1/conversations/{number}"))[0] == 404
    row = await stage.pool.fetchrow("select * from deleted_conversations")
    assert (row["assistant_id"], row["sender_id"], row["deleted_by"]) == (OWN, "mine", "admin")
    assert row["deleted_at"] > datetime(2050, 1, 1, tzinfo=UTC)
    assert await stage.pool.fetchval("select count(*) from events where sender_id = 'mine'") == 0
    assert await stage.pool.fetchval("select count(*) from conversation_tags") == 0
    assert (await stage.admin("GET", f"/api/v1/conversations/{kept}"))[0] == 200
    _, log = await stage.admin("GET", "/api/v1/audit")
    assert [(each["operation"], each["target"]) for each in log["items"]] == [
        ("conversations.delete", f"conversation {number}"), ("conversations.annotate", f"conversation {number} tag x"),
    ]  # fmt: skip


async def dead_letter(stage: Stage, reason: str, value: bytes | None = b"{}", topic: str = "studio-events") -> int:
    source = await stage.pool.fetchval(
        "insert into event_sources (topic, incarnation) values ($1, 1) "
        "on conflict (topic, incarnation) do update set topic = excluded.topic returning id", topic,
    )  # fmt: skip
    number: int = await stage.pool.fetchval(
        """insert into dead_letters (source, topic, partition, "offset", key, value, reason)
           values ($1, $2, 0, (select count(*) from dead_letters), 'k', $3, $4) returning id""",
        source, topic, value, reason,
    )  # fmt: skip
    return number


async def test_dead_letters_are_seen_and_replayed(stage: Stage) -> None:
    broken = await dead_letter(stage, "not-json", b"\xff\x00{")
    gap = await dead_letter(stage, "gap", None)
    await dead_letter(stage, "not-json", topic="other")
    _, page = await stage.admin("GET", "/api/v1/dead-letters?limit=2")
    assert len(page["items"]) == 2
    _, page = await stage.admin("GET", f"/api/v1/dead-letters?limit=2&cursor={page['next_cursor']}")
    assert [(each["id"], each["value"], each["key"]) for each in page["items"]] == [(broken, "\ufffd\ufffd{", "k")]
    assert await stage.admin("POST", f"/api/v1/dead-letters/{broken}/replay") == (202, {"requested": 1})
    assert (await stage.admin("POST", f"/api/v1/dead-letters/{gap}/replay"))[0] == 409
    assert (await stage.admin("POST", "/api/v1/dead-letters/999/replay"))[0] == 404
    for body, count in (({}, 2), ({"topic": "other"}, 1), ({"reason": "gap"}, 0)):
        assert await stage.admin("POST", "/api/v1/dead-letters/replay", json=body) == (202, {"requested": count})
    asked = await stage.pool.fetch("select replay_requested_by from dead_letters where replay_requested_at is not null")
    assert [row["replay_requested_by"] for row in asked] == ["admin", "admin"]
    _, studio = await stage.admin("GET", "/api/v1/status")
    assert studio["ingestion"] == {"lag": 0, "dead_letters": 3}
    restricted = stage.person("admin", assistants=["concierge"])
    assert (await restricted("GET", "/api/v1/dead-letters"))[0] == 403


async def test_only_records_of_topics_as_they_are_now_are_a_lag(stage: Stage) -> None:
    """The back-fill leaves young rows of a tracker for later, and what a deleted topic had never comes."""
    for topic, incarnation, behind in (("studio-events", 1, 90), ("studio-events", 2, 7), ("tracker:porter", 1, 380)):
        await stage.pool.execute(
            """with source as (insert into event_sources (topic, incarnation) values ($1, $2) returning id)
               insert into event_offsets (source, partition, next_offset, log_end) select id, 0, 20, 20 + $3 from source
            """,
            topic, incarnation, behind,
        )  # fmt: skip
    _, studio = await stage.admin("GET", "/api/v1/status")
    assert studio["ingestion"] == {"lag": 7, "dead_letters": 0}


async def test_a_chat(stage: Stage, engine_session: Any) -> None:
    stage.put_assistant()
    engine = engine_session[0]
    body = {"sender": "try-1", "message": "hi"}
    status, answer = await stage.person("designer", subject="dora")(
        "POST", "/api/v1/assistants/concierge/chat", json=body
    )
    assert status == 200
    assert answer == {
        "sender": "try-1",
        "messages": [
            {"text": "Hello!", "image": None, "buttons": [{"title": "Hi", "payload": "/greet"}], "custom": None}
        ],
    }
    assert engine.heard == [("concierge.ns.svc:5005", {"sender": "trial:subject-of-dora:try-1", "message": "hi"})]
    for engine.answer, engine.status in (("nonsense", 200), ([1], 200), ([], 500), ([{"text": "x" * 600_000}], 200)):
        status, problem = await stage.admin("POST", "/api/v1/assistants/concierge/chat", json=body)
        assert status == 502, problem


async def test_a_chat_with_who_does_not_answer(stage: Stage) -> None:
    from tests.unit.services.backend.stage import assistant

    stage.kube.put(assistant(available=False))
    body = {"sender": "me", "message": "hi"}
    status, problem = await stage.admin("POST", "/api/v1/assistants/concierge/chat", json=body)
    assert (status, problem["detail"]) == (
        409, "concierge does not answer now. NotTrained: no model was trained yet",
    )  # fmt: skip


async def test_the_inspector_shows_ones_own_trial_only_and_waits(stage: Stage) -> None:
    stage.put_assistant()
    path = "/api/v1/assistants/concierge/chat/try-1/events"
    dora, emil = stage.person("designer", subject="dora"), stage.person("designer", subject="emil")
    waiting = asyncio.create_task(dora("GET", f"{path}?wait=10"))
    await store(stage, "trial:subject-of-dora:try-1", text="my secret")
    _, answer = await waiting
    assert [event["text"] for event in answer["events"]] == ["my secret", "Hello!"]
    seq = answer["events"][-1]["seq"]
    assert await dora("GET", f"{path}?after_seq={seq}") == (200, {"events": []})
    assert await emil("GET", path) == (200, {"events": []})
    assert (await emil("GET", "/api/v1/assistants/concierge/chat/trial:subject-of-dora:try-1/events"))[0] == 422


@pytest.mark.parametrize("number", [0, -1, 2**63])
async def test_numbers_that_no_conversation_has(stage: Stage, number: int) -> None:
    assert (await stage.admin("GET", f"/api/v1/conversations/{number}"))[0] == 422
