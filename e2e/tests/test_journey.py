"""A team's first day, in a real browser: from sign-in to a conversation that is found again and a better model."""

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from studio_e2e import accounts, broker, content, entry, manifests, web_client
from studio_e2e.assistants import Assistant, Porter
from studio_e2e.browser import Window, Windows
from studio_e2e.command_line import Terminal
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually
from studio_e2e.web_client import Desk

NAME = "front-desk"
BEFORE, AFTER = "knows that you are here", "comes down to meet you"
SHOP, ELSEWHERE = "https://shop.example.com", "https://elsewhere.example.com"
UNREADABLE = "not an event of any engine"
# The kubelet brings a changed allow-list to the entry proxy within about a minute.
ALLOWED_WITHIN = 120.0


@pytest.fixture
def front_desk(studio: Space) -> Iterator[Assistant]:
    """The assistant of the journey, which the web client is going to make; gone at the end, however it ends."""
    made = Assistant(studio, NAME)
    yield made
    made.delete()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A Rasa project on somebody's disk."""
    return shutil.copytree(content.FRONT_DESK, tmp_path / "project")


def test_a_team_makes_an_assistant_and_learns_from_its_conversations(
    front_desk: Assistant, origin: str, windows: Windows, terminal: Terminal, project: Path
) -> None:
    window = windows.new(origin)
    desk = Desk(window, NAME)
    signs_in(window, front_desk.space)
    creates_it(desk)
    front_desk.space.patch("assistant", NAME, {"spec": manifests.SMALL})
    signs_in_at_the(terminal, window)
    pushes(terminal, project)
    watches_the_training(desk)
    begins_a_conversation(desk)
    chat = window.page.url.removeprefix(origin)
    sender = chat.rpartition("sender=")[2]
    finds_it_again(desk, sender)
    changes_the_content(desk)
    the_new_model_goes_on(desk, chat)
    sees_it_all(terminal, project, sender)
    looks_at_the_system(desk, front_desk.space)
    desk.delete()
    assert window.complaints == []


def signs_in(window: Window, space: Space) -> None:
    window.open("/")
    expect(window.page.get_by_role("button", name="Sign in")).to_be_visible()
    shows(window, "sign-in")
    window.sign_in(*entry.administrator(space))


def creates_it(desk: Desk) -> None:
    desk.create()
    shows(desk.window, "new-assistant")
    desk.submit()
    desk.expect_state("Not published")


def signs_in_at_the(terminal: Terminal, window: Window) -> None:
    terminal.studio("config", "set-url", window.origin)
    with terminal.signing_in() as invitation:
        web_client.confirm_device(window, invitation.url, invitation.code)
    window.open("/")
    assert "admin" in terminal.studio("whoami")


def pushes(terminal: Terminal, project: Path) -> None:
    said = terminal.studio("push", str(project), "--assistant", NAME, "--message", "First version")
    assert "Published as revision 1." in said


def watches_the_training(desk: Desk) -> None:
    desk.follow_training()
    shows(desk.window, "training")
    desk.expect_trained()
    desk.menu("Trainings")
    shows(desk.window, "trainings")
    desk.part("Overview")
    desk.expect_state("Answering")
    shows(desk.window, "overview", dark=True)
    desk.menu("Assistants")
    shows(desk.window, "assistants")


def begins_a_conversation(desk: Desk) -> None:
    desk.part("Try it")
    desk.say("good morning", "this is the front desk")
    desk.say("I have an appointment", "Whom do you want to see?")
    desk.expect_understood("announce_visit")
    desk.expect_slot("requested_slot", "visitor")
    desk.expect_event("visit_form")
    shows(desk.window, "chat", dark=True)


def finds_it_again(desk: Desk, sender: str) -> None:
    row = desk.find_conversation("appointment", sender)
    row.get_by_role("link").click()
    desk.tag("first day")
    desk.flag("I have an appointment", "Ask for the name first")
    shows(desk.window, "conversation")
    desk.menu("Conversations")
    desk.window.page.get_by_role("search").get_by_label("Flagged").check()
    row = desk.conversation_with(sender)
    expect(row).to_contain_text("first day")
    expect(row.get_by_role("img", name="1 open flags")).to_be_visible()
    shows(desk.window, "conversations")


def changes_the_content(desk: Desk) -> None:
    desk.edit("domain.yml", BEFORE, AFTER)
    shows(desk.window, "content")
    desk.publish("Somebody comes to meet the visitor")


def the_new_model_goes_on(desk: Desk, chat: str) -> None:
    desk.part("Models")
    desk.expect_active_model("2")
    shows(desk.window, "models")
    desk.window.open(chat)
    desk.say("Mrs Miller", "On which floor?")
    desk.say("on the third floor", f"Mrs Miller on the third floor {AFTER}.")


def sees_it_all(terminal: Terminal, project: Path, sender: str) -> None:
    tree = terminal.studio("status")
    assert f"{NAME} ready answers" in tree
    assert "model 2" in tree
    assert "Starting Rasa server" in terminal.studio("logs", NAME, "--run")
    terminal.studio("pull", str(project))
    assert AFTER in (project / "domain.yml").read_text()
    found = json.loads(terminal.studio("conversations", "list", "--tag", "first day", "--flagged", "-o", "json"))
    assert [each["tags"] for each in found if each["sender_id"].endswith(sender)] == [["first day"]]


def looks_at_the_system(desk: Desk, space: Space) -> None:
    broker.send(space, UNREADABLE)
    desk.menu("System")
    expect(desk.window.page.get_by_role("heading", name="Conditions")).to_be_visible()
    shows(desk.window, "system")
    desk.system("Dead letters")
    desk.expect_dead_letter(UNREADABLE)
    shows(desk.window, "dead-letters")
    desk.system("Audit")
    expect(desk.window.page.get_by_role("cell", name=f"{NAME} revision 2").first).to_be_visible()
    shows(desk.window, "audit")


def test_a_viewer_is_shown_and_allowed_what_viewers_may(porter: Assistant, origin: str, windows: Windows) -> None:
    window = windows.new(origin)
    window.sign_in("vera", accounts.make(porter.space, "vera", "Viewers"))
    page = window.page
    expect(page.get_by_role("link", name=porter.name, exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="New assistant")).to_have_count(0)
    expect(page.get_by_role("navigation", name="Main menu").get_by_role("link", name="Conversations")).to_have_count(0)

    desk = Desk(window, porter.name)
    desk.part("Models")
    expect(page.get_by_role("button", name="Activate")).to_have_count(0)
    desk.part("Overview")
    page.get_by_role("button", name=f"More actions for {porter.name}").click()
    expect(page.get_by_role("menuitem", name="Copy as YAML")).to_be_visible()
    expect(page.get_by_role("menuitem", name="Delete")).to_have_count(0)
    expect(page.get_by_role("menuitem", name="Train again")).to_have_count(0)

    for path, permission in (("/new", "assistants.create"), ("/conversations", "conversations.read")):
        window.open(path)
        expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
        expect(page.get_by_text(permission)).to_be_visible()
    shows(window, "not-allowed")
    assert window.complaints == []
    assert window.status_of("DELETE", f"/api/v1/assistants/{porter.name}") == 403
    assert window.status_of("GET", "/api/v1/conversations") == 403


def test_other_sites_talk_to_an_assistant_if_they_are_allowed_to(porter: Porter, origin: str) -> None:
    channels = {"cors": {"allowedOrigins": [SHOP]}}
    porter.apply(manifests.from_config_map(f"{porter.name}-content"), channels=channels)
    url = f"{origin}/talk/{porter.name}/webhooks/rest/webhook"

    def allowed() -> bool:
        status, headers, answer = asks(url, SHOP)
        if status != 200:
            raise NotYet(f"{status}: {answer}")
        assert headers["Access-Control-Allow-Origin"] == SHOP
        assert [part["text"] for part in json.loads(answer)] == [porter.greeting]
        return True

    eventually(f"{SHOP} may talk to {porter.name}", allowed, within=ALLOWED_WITHIN)
    status, headers, _ = asks(url, ELSEWHERE)
    assert (status, headers.get("Access-Control-Allow-Origin")) == (403, None)
    status, headers, _ = asks(url, SHOP, method="OPTIONS")
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, SHOP)
    assert asks(f"{origin}/talk/studio-backend/webhooks/rest/webhook", SHOP)[0] == 404
    assert asks(f"{origin}/talk/{porter.name}/model", SHOP)[0] == 404


def test_an_open_page_asks_for_nothing_while_nothing_happens(porter: Assistant, origin: str, windows: Windows) -> None:
    window = windows.new(origin)
    window.sign_in(*entry.administrator(porter.space))
    assert window.requests_during(10) == []


def asks(url: str, site: str, *, method: str = "POST") -> tuple[int, dict[str, str], str]:
    """Status, headers and body of a greeting, or its preflight, that a page of this site sends."""
    body = json.dumps({"sender": "customer", "message": "good day"}).encode()
    headers = {"Content-Type": "application/json", "Origin": site, "Access-Control-Request-Method": "POST"}
    request = urllib.request.Request(url, body if method == "POST" else None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, dict(refusal.headers), refusal.read().decode()


def shows(window: Window, name: str, *, dark: bool = False) -> None:
    """The screen is accessible; its picture goes to the documentation, in dark colours, too, if told so."""
    window.expect_accessible()
    window.picture(name)
    if dark:
        window.picture(f"{name}-dark", "dark")
