"""An assistant that runs on demand: asleep until somebody starts it, and again when nobody talks to it any more."""

from studio_e2e import chat, content
from studio_e2e.api import external_client, signed_in
from studio_e2e.assistants import Assistant
from studio_e2e.waiting import eventually

# A minute of silence, and the half minute in which the orchestrator looks for it.
ASLEEP_WITHIN = 150.0


def test_it_is_started_by_hand_and_ends_when_nobody_talks_to_it(assistant: Assistant, origin: str) -> None:
    assistant.apply({"files": content.porter()}, running={"mode": "OnDemand", "idleMinutes": 1})
    assistant.wait_ready()
    assistant.wait_for("Running", "False", reason="Asleep")
    assert assistant.runs() == []

    api = signed_in(origin, external_client(assistant.space))
    answer = api.ask("POST", f"/assistants/{assistant.name}/run/start")
    assert answer.status == 200, answer.body
    eventually("it serves", assistant.serving, within=90)
    assert chat.say(assistant.space, assistant.name, "early-bird", ["good day"]) == [[content.GREETING]]

    assistant.wait_for("Running", "False", reason="Asleep", within=ASLEEP_WITHIN)
    eventually("its engine is gone", lambda: assistant.runs() == [], within=60)
    assert assistant.conditions["Ready"]["status"] == "True"
