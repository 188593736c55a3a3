"""Every command against the contract: what it asks, what it prints, how it ends."""

import hashlib
import json
from pathlib import Path

import httpx2
import pytest
import yaml
from tests.unit.services.cli.conftest import Run, data
from tests.unit.services.cli.fake_studio import STARTED, FakeStudio, condition, event, model, problem


def test_help_names_all_commands_and_the_exit_codes(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for command in ("login", "push", "pull", "train", "logs", "models", "activate", "chat", "conversations", "status"):
        assert command in result.stdout
    assert "not signed in" in result.stdout


def test_an_unknown_option_is_wrong_usage(run: Run) -> None:
    assert run("status", "--nonsense").exit_code == 2


def test_without_a_studio_the_error_says_how_to_name_one(run: Run) -> None:
    result = run("status", env={})
    assert result.exit_code == 2
    assert "config set-url" in result.stderr


def test_set_url_show_and_use(run: Run, home: Path) -> None:
    assert run("config", "set-url", "http://localhost:8180/", env={}).exit_code == 0
    result = run("config", "set-url", "http://studio.example.com", "--context", "prod", env={})
    assert "without https" in result.stderr
    assert run("config", "use", "default", env={}).exit_code == 0
    shown = data(run("config", "show", "-o", "json", env={}))
    assert [(entry["name"], entry["url"], entry["current"]) for entry in shown] == [
        ("default", "http://localhost:8180", True),
        ("prod", "http://studio.example.com", False),
    ]
    assert (home / "config.yaml").stat().st_mode & 0o777 == 0o600


def test_use_of_an_unknown_context_names_the_known_ones(run: Run) -> None:
    run("config", "set-url", "http://localhost:8180", env={})
    result = run("config", "use", "nowhere", env={})
    assert result.exit_code == 2
    assert "default" in result.stderr


@pytest.mark.parametrize("url", ["ftp://x", "localhost:8180", "http://user:secret@x", "http://", "http://x:y", ""])
def test_an_address_that_is_none_is_refused(run: Run, url: str) -> None:
    assert run("config", "set-url", url, env={}).exit_code == 2


@pytest.mark.parametrize(
    "text", ["contexts: [1]", "{", "contexts: {a: {}}", "- 1", "contexts: {a: {url: 'x'}}", "\x00"]
)
def test_a_broken_configuration_is_named(run: Run, home: Path, text: str) -> None:
    home.mkdir(parents=True)
    (home / "config.yaml").write_text(text)
    result = run("status", env={})
    assert result.exit_code == 2
    assert "config.yaml" in result.stderr


def test_whoami(run: Run) -> None:
    result = run("whoami")
    assert result.exit_code == 0
    assert "ada" in result.stdout
    assert "developer" in result.stdout
    assert data(run("whoami", "-o", "json"))["username"] == "ada"


def test_assistants_are_listed_with_what_keeps_them_back(run: Run, studio: FakeStudio) -> None:
    studio.add("hall")
    bad = [condition("Ready", "False"), condition("Stalled", "True", "InvalidContent", "domain.yml: no intents")]
    studio.add("stuck", ready=False, conditions=bad)
    result = run("assistants", "list")
    assert "stalled" in result.stdout
    assert "InvalidContent: domain.yml: no intents" in result.stdout
    assert [item["name"] for item in data(run("assistants", "list", "-o", "json"))] == ["hall", "stuck"]
    assert yaml.safe_load(run("assistants", "list", "-o", "yaml").stdout)[1]["name"] == "stuck"


def test_all_pages_are_read(run: Run, studio: FakeStudio) -> None:
    for number in range(250):
        studio.add(f"a{number}")
    assert len(data(run("assistants", "list", "--limit", "240", "-o", "json"))) == 240
    assert [request.url.params["limit"] for request in studio.requests] == ["100", "100", "40"]


def test_a_refused_name_shows_the_field_and_the_request_id(run: Run) -> None:
    result = run("assistants", "create", "Bad_Name")
    assert result.exit_code == 1
    assert "name: must be lower case" in result.stderr
    assert "request id: r-1" in result.stderr
    assert result.stdout == ""


def test_create_and_delete(run: Run, studio: FakeStudio) -> None:
    assert run("assistants", "create", "hall", "--language", "de").exit_code == 0
    assert studio.assistants["hall"]["language"] == "de"
    refused = run("assistants", "delete", "hall")
    assert refused.exit_code == 1
    assert "--yes" in refused.stderr
    assert run("assistants", "delete", "hall", "--yes").exit_code == 0
    assert not studio.assistants


@pytest.mark.parametrize("name", ["..", ".", ""])
def test_a_name_cannot_lead_to_another_path(run: Run, studio: FakeStudio, name: str) -> None:
    assert run("assistants", "delete", name, "--yes").exit_code == 2
    assert not studio.requests


def test_a_name_with_a_slash_stays_one_segment(run: Run, studio: FakeStudio) -> None:
    run("assistants", "delete", "a/../b?x", "--yes")
    assert studio.requests[0].url.raw_path == b"/api/v1/assistants/a%2F..%2Fb%3Fx"


def test_train_follows_the_queue_and_the_log(run: Run, studio: FakeStudio) -> None:
    studio.add("hall")
    studio.streams["/trainings/hall-t1-abcde/log"] = [
        [event("line", {"line": "Epoch 1"}, 1), event("end", {"state": "Succeeded"}, 2)]
    ]
    result = run("train", "hall", "--follow", "-o", "json")
    assert data(result)["state"] == "Succeeded"
    assert "Epoch 1" in result.stderr


def test_a_failed_training_ends_with_1_and_the_engines_words(run: Run, studio: FakeStudio) -> None:
    studio.training("hall-t1-abcde", "hall", state="Failed", reason="InvalidContent", message="no intent greet")
    studio.streams["/trainings/hall-t1-abcde/log"] = [[event("end", {"state": "Failed"}, 1)]]
    result = run("logs", "hall-t1-abcde", "-f")
    assert result.exit_code == 1
    assert "no intent greet" in result.stderr


def test_logs_of_an_assistant_are_those_of_its_newest_training(run: Run, studio: FakeStudio) -> None:
    studio.training("hall-t2-abcde", "hall")
    studio.streams["/trainings/hall-t2-abcde/log"] = [
        [event("line", {"line": "\x1b[31mred\x1b[0m \x1b]0;owned\x07text"}, 1), event("end", {"state": "Succeeded"}, 2)]
    ]
    result = run("logs", "hall")
    assert result.stdout == "red text\n"


def test_logs_without_follow_end_where_nothing_more_is_there(run: Run, studio: FakeStudio) -> None:
    studio.training("hall-t1-abcde", "hall", state="Running")
    studio.streams["/trainings/hall-t1-abcde/log"] = [
        [event("line", {"line": "one"}, 1), httpx2.ReadTimeout("silence")]
    ]
    result = run("logs", "hall-t1-abcde")
    assert (result.exit_code, result.stdout) == (0, "one\n")


def test_logs_of_a_run(run: Run, studio: FakeStudio) -> None:
    studio.add("hall")
    lines: list[str | BaseException] = [
        event("line", {"line": "Rasa server is up"}, 1),
        event("end", {"state": "Stopped"}, 2),
    ]
    studio.streams["/runs/hall-r1-abcde/log"] = [[lines[0]], lines, lines]
    assert run("logs", "hall-r1-abcde", "-f").stdout == "Rasa server is up\n" * 2
    assert run("logs", "hall", "--run").stdout == "Rasa server is up\n"


def test_logs_of_nothing_say_what_makes_some(run: Run, studio: FakeStudio) -> None:
    studio.add("hall")
    assert "studio train hall" in run("logs", "hall").stderr


def test_trainings_are_listed_and_cancelled(run: Run, studio: FakeStudio) -> None:
    studio.training("hall-t1-abcde", "hall", state="Queued", position=2)
    assert "number 2 in the queue" in run("trainings", "list").stdout
    assert run("trainings", "cancel", "hall-t1-abcde").exit_code == 0
    assert studio.trainings["hall-t1-abcde"]["state"] == "Cancelled"


def test_what_a_training_waits_for_is_listed(run: Run, studio: FakeStudio) -> None:
    words = "1 training is ahead; the only consumer is busy"
    studio.training("hall-t1-abcde", "hall", state="Queued", position=2, waits_for=words, starts_in=65.0)
    listed = run("trainings", "list", "-o", "json")
    assert (data(listed)[0]["waits_for"], data(listed)[0]["starts_in"]) == (words, 65.0)
    assert words in run("trainings", "list").stdout


def test_how_far_a_training_is_is_listed(run: Run, studio: FakeStudio) -> None:
    studio.training("hall-t1-abcde", "hall", state="Running", progress={"step": "DIETClassifier", "percent": 40})
    studio.training("hall-t2-abcde", "hall", state="Running", progress={"step": "RulePolicy", "percent": None})
    listed = run("trainings", "list").stdout
    assert ("DIETClassifier, 40 %" in listed, "RulePolicy" in listed) == (True, True)


def test_what_is_trained_already_is_said(run: Run, studio: FakeStudio) -> None:
    studio.add("hall")
    studio.trained = {key: value for key, value in model("1").items() if key != "active"}
    result = run("train", "hall", "--follow")
    assert (result.exit_code, "Nothing to train: it is version 1." in result.stderr) == (0, True)
    assert data(run("train", "hall", "-o", "json"))["model"]["version"] == "1"


def test_a_training_is_repeated_moved_and_explained(run: Run, studio: FakeStudio) -> None:
    studio.training("hall-t1-abcde", "hall", state="Failed")
    assert "hall-t2-abcde" in run("trainings", "retry", "hall-t1-abcde").stdout
    assert run("trainings", "priority", "hall-t2-abcde", "7").exit_code == 0
    assert run("trainings", "priority", "hall-t2-abcde", "1001").exit_code == 2
    assert studio.trainings["hall-t2-abcde"]["priority"] == 7
    studio.transitions.append({
        "at": STARTED, "who": "ann", "from_state": "Running", "to_state": "Running", "reason": "Cancelled",
        "message": "cancelled by ann", "attempt": 1,
    })  # fmt: skip
    for items, item in (("trainings", "hall-t1-abcde"), ("runs", "hall-r1-abcde")):
        assert "cancelled by ann" in run(items, "history", item).stdout


def test_runs_are_listed_started_and_stopped(run: Run, studio: FakeStudio) -> None:
    studio.add("hall")
    listed = run("runs", "list", "--assistant", "hall")
    assert "hall-r1-abcde" in listed.stdout
    assert "the engine answers" in listed.stdout
    started = run("runs", "start", "hall")
    assert (started.exit_code, "hall is being started: hall-r1-abcde" in started.stderr) == (0, True)
    assert data(run("runs", "stop", "hall", "-o", "json"))["state"] == "Draining"


def test_what_a_run_waits_for_is_listed(run: Run, studio: FakeStudio) -> None:
    studio.run = {"state": "Queued", "message": "to run version 1", "position": 1, "waits_for": "it waits for a slot"}
    listed = run("runs", "list").stdout
    assert ("it waits for a slot" in listed, "to run version 1" in listed) == (True, False)


def test_models_list_and_activate(run: Run, studio: FakeStudio) -> None:
    studio.add("hall")
    studio.models["hall"] = [model("2", active=False), model("1")]
    assert "2.9 MiB" in run("models", "list", "hall").stdout
    result = run("activate", "hall", "latest")
    assert result.exit_code == 0
    assert studio.sent("POST") == ["/assistants/hall/models/latest/activate"]


def test_models_are_tagged(run: Run, studio: FakeStudio) -> None:
    studio.add("hall")
    studio.models["hall"] = [model("2", parent="1"), model("1")]
    assert run("models", "tag", "hall", "1", "good", "v1.0").exit_code == 0
    listed = run("models", "list", "hall").stdout
    assert ("good, v1.0" in listed, "1 min" in listed, "PARENT" in listed) == (True, True, True)
    assert "not tagged good any more" in run("models", "untag", "hall", "1", "good").stderr
    assert studio.models["hall"][1]["tags"] == ["v1.0"]


def test_a_model_is_downloaded_and_checked(run: Run, studio: FakeStudio, tmp_path: Path) -> None:
    studio.add("hall")
    target = tmp_path / "model.tar.gz"
    assert run("models", "download", "hall", "1", "--file", str(target)).exit_code == 0
    assert hashlib.sha256(target.read_bytes()).hexdigest() == hashlib.sha256(b"a model").hexdigest()
    assert run("models", "download", "hall", "1", "--file", str(target)).exit_code == 1


def test_a_model_that_is_not_whole_leaves_no_file(run: Run, studio: FakeStudio, tmp_path: Path) -> None:
    studio.add("hall")
    studio.model_bytes = b"a mod"
    result = run("models", "download", "hall", "1", "--file", str(tmp_path / "model.tar.gz"))
    assert result.exit_code == 4
    assert not list(tmp_path.glob("model*"))


def test_chat_with_one_message(run: Run, studio: FakeStudio) -> None:
    studio.add("hall")
    result = run("chat", "hall", "-m", "hello")
    assert "You said hello" in result.stdout
    assert "1. Yes" in result.stdout
    assert data(run("chat", "hall", "-m", "hello", "-o", "json"))["messages"][0]["text"] == "You said hello"


def test_a_number_chooses_a_button(run: Run, studio: FakeStudio) -> None:
    studio.add("hall")
    result = run("chat", "hall", stdin="hello\n\n1\n2\n3\n/quit\nnever\n")
    assert result.exit_code == 0
    said = [json.loads(request.content)["message"] for request in studio.requests]
    assert said == ["hello", "/affirm", "No", "3"]
    assert len({json.loads(request.content)["sender"] for request in studio.requests}) == 1


def test_conversations_are_filtered_by_the_studio(run: Run, studio: FakeStudio) -> None:
    studio.conversations[1] = conversation(1)
    arguments = ["--assistant", "hall", "--from", "2h", "--flagged", "--max-confidence", "0.5", "--text", "ticket & co"]
    assert "buy a ticket" in run("conversations", "list", *arguments).stdout
    params = dict(studio.requests[-1].url.params)
    assert params.pop("limit") == "20"
    assert params == {
        "assistant": "hall", "from": "2026-11-21T06:00:00+00:00", "flagged": "true", "max_confidence": "0.5",
        "text": "ticket & co",
    }  # fmt: skip


@pytest.mark.parametrize("when", ["yesterday", "99999999999w", "2026-13-01"])
def test_a_time_that_is_none_is_wrong_usage(run: Run, when: str) -> None:
    assert run("conversations", "list", "--from", when).exit_code == 2


def test_a_conversation_is_shown_without_driving_the_terminal(run: Run, studio: FakeStudio) -> None:
    studio.conversations[1] = conversation(1)
    result = run("conversations", "show", "1")
    assert "user  buy a ticket[2J" not in result.stdout
    assert "\x1b" not in result.stdout
    assert "[buy_ticket 0.97]" in result.stdout
    assert "[bold]not markup[/bold]" in result.stdout
    assert "flag 7 by ada, event 1: rude" in result.stdout


def test_tag_untag_flag_unflag_delete(run: Run, studio: FakeStudio) -> None:
    studio.conversations[1] = conversation(1)
    assert run("conversations", "tag", "1", "good", "to do").exit_code == 0
    assert run("conversations", "untag", "1", "good").exit_code == 0
    assert "flag 7" in run("conversations", "flag", "1", "--reason", "rude", "--event", "3").stderr
    assert run("conversations", "unflag", "1", "7").exit_code == 0
    assert run("conversations", "delete", "1", "--yes").exit_code == 0
    assert studio.sent("PUT") == ["/conversations/1/tags/good", "/conversations/1/tags/to do"]
    assert not studio.conversations
    assert data(run("conversations", "tags", "-o", "json"))[0]["tag"] == "good"


def test_status_is_a_tree_that_explains(run: Run, studio: FakeStudio) -> None:
    studio.add("hall", model={"version": "m1", "sha256": "x", "trained_at": "2026-11-21T07:00:00Z"})
    studio.add("waiting", ready=False, conditions=[condition("Trained", "False", "NotPublished", "publish something")])
    result = run("status")
    for words in ("studio ready", "backend ready 1/1", "hall ready answers", "model m1, trained 1 h ago",
                  "NotPublished: publish something"):  # fmt: skip
        assert words in result.stdout
    assert data(run("status", "-o", "json"))["studio"]["name"] == "studio"


def test_an_assistant_that_nobody_uses_is_asleep(run: Run, studio: FakeStudio) -> None:
    running = condition("Running", "False", "Asleep", "it runs once somebody starts it")
    studio.add("hall", available=False, conditions=[condition("Ready", "True"), running])
    listed = run("assistants", "list").stdout
    assert ("asleep" in listed, "it runs once somebody starts it" in listed) == (True, True)


def test_status_tells_how_far_a_training_is(run: Run, studio: FakeStudio) -> None:
    training = {"id": "hall-t1-abcde", "state": "Running", "reason": "Training", "position": None, "waits_for": None,
                "estimated_start": None, "progress": {"step": "DIETClassifier", "percent": 40}}  # fmt: skip
    studio.add("hall", ready=False, training=training)
    assert "Running, Training: DIETClassifier, 40 %" in run("status").stdout


def test_status_watch_prints_each_change_and_reads_anew_after_a_break(run: Run, studio: FakeStudio) -> None:
    hall = studio.add("hall")
    studio.streams["/assistants/events"] = [
        [event("assistant", {**hall, "ready": False}), httpx2.ReadError("gone")],
        [event("deleted", {"name": "hall"}), KeyboardInterrupt()],
    ]
    result = run("status", "--watch")
    assert result.stdout.splitlines() == ["hall ready", "hall not ready", "hall ready", "hall deleted"]
    assert result.exit_code == 130


def test_dead_letters(run: Run, studio: FakeStudio) -> None:
    studio.dead_letters = [
        {"id": 1, "topic": "t", "partition": 0, "offset": 5, "reason": "NotJson", "detail": "x", "key": None,
         "value": "{", "created_at": "2026-11-21T07:00:00Z", "replay_requested_at": None, "replayed_at": None,
         "replay_result": None},
    ]  # fmt: skip
    assert "NotJson" in run("dead-letters", "list").stdout
    assert run("dead-letters", "replay").exit_code == 2
    assert run("dead-letters", "replay", "1").exit_code == 0
    assert run("dead-letters", "replay", "--all", "--yes").exit_code == 0
    assert studio.sent("POST") == ["/dead-letters/1/replay", "/dead-letters/replay"]


def test_version_works_without_a_studio(run: Run, studio: FakeStudio) -> None:
    assert data(run("version", "-o", "json"))["studio"] == "1.2.3"
    assert run("version", env={}).exit_code == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_scripts(run: Run, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_STUDIO_COMPLETE", "")
    result = run("completion", shell, env={})
    assert result.exit_code == 0
    assert "_STUDIO_COMPLETE" in result.stdout


def test_forbidden_is_told_with_its_detail(run: Run, studio: FakeStudio) -> None:
    studio.instead = [problem(403, "Forbidden", "assistants.create takes the role developer")]
    result = run("assistants", "create", "x")
    assert result.exit_code == 1
    assert "takes the role developer" in result.stderr


def conversation(number: int) -> dict[str, object]:
    happened = [
        {"seq": 1, "at": "2026-11-21T07:00:00Z", "type": "user", "text": "buy a ticket\x1b[2J", "intent": "buy_ticket",
         "confidence": 0.97, "action": None, "data": {}},
        {"seq": 2, "at": "2026-11-21T07:00:01Z", "type": "bot", "text": "[bold]not markup[/bold]", "intent": None,
         "confidence": None, "action": None, "data": {}},
        {"seq": 3, "at": "2026-11-21T07:00:01Z", "type": "slot", "text": None, "intent": None, "confidence": None,
         "action": None, "data": {}},
    ]  # fmt: skip
    return {
        "id": number, "assistant_id": "shop.hall", "sender_id": "cli-1", "channel": "rest", "tags": ["good"],
        "flags": 0, "started_at": "2026-11-21T07:00:00Z", "last_event_at": "2026-11-21T07:00:01Z", "user_messages": 1,
        "bot_messages": 1, "preview": "buy a ticket", "min_confidence": 0.97, "events": happened,
        "flag_list": [
            {"id": 7, "event_seq": 1, "reason": "rude", "created_by": "ada", "created_at": "2026-11-21T07:00:00Z",
             "resolved_by": None, "resolved_at": None},
        ],
    }  # fmt: skip


def test_status_watch_redraws_the_tree_on_a_terminal(
    run: Run, studio: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    hall = studio.add("hall")
    bad = [condition("Trained", "False", "Training", "epoch 3")]
    studio.streams["/assistants/events"] = [
        [
            event("assistant", {**hall, "ready": False, "conditions": bad}),
            event("deleted", {"name": "hall"}),
            KeyboardInterrupt(),
        ]
    ]
    result = run("status", "--watch")
    assert result.exit_code == 130
    assert "Training: epoch 3" in result.stdout
    assert result.stdout.count("running slots") >= 3
