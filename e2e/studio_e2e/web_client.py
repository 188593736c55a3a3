"""What people do in the web client, by the roles and names of what they see."""

import re
from dataclasses import dataclass

from playwright.sync_api import Locator, expect

from studio_e2e.browser import Window
from studio_e2e.waiting import eventually

TRAINED_WITHIN = 120.0
SERVED_WITHIN = 120.0
# From the engine through the event broker into the database.
STORED_WITHIN = 30.0


@dataclass(frozen=True)
class Desk:
    """Somebody at work on one assistant."""

    window: Window
    assistant: str

    def menu(self, entry: str) -> None:
        """Choose an entry of the main menu."""
        self.window.page.get_by_role("navigation", name="Main menu").get_by_role("link", name=entry).click()
        self._headed(entry)

    def part(self, label: str) -> None:
        """Choose one of the parts of the assistant: Overview, Content, Trainings, Models, Try it."""
        page = self.window.page
        parts = page.get_by_role("navigation", name=f"Parts of {self.assistant}")
        if not parts.is_visible():
            self.menu("Assistants")
            page.get_by_role("table").get_by_role("link", name=re.compile(f"^{self.assistant}$")).click()
        parts.get_by_role("link", name=label).click()

    def create(self) -> None:
        """Create the assistant, with nothing in it."""
        page = self.window.page
        page.get_by_role("link", name="New assistant").first.click()
        page.get_by_role("textbox", name="Name", exact=True).fill(self.assistant)
        page.get_by_role("radio", name="Nothing").check()

    def submit(self) -> None:
        """Send the form of a new assistant; returns when its empty content is shown."""
        self.window.page.get_by_role("button", name="Create assistant").click()
        expect(self.window.page.get_by_role("heading", name="There are no files yet")).to_be_visible()

    def expect_state(self, label: str, *, within: float = SERVED_WITHIN) -> None:
        """Until the head of the assistant's pages says so, by itself."""
        state = self.window.page.get_by_role("banner").or_(self.window.page.locator("header")).get_by_text(label)
        expect(state.first).to_be_visible(timeout=within * 1000)

    def follow_training(self) -> None:
        """From the overview, as soon as it tells of a training, to the log that is being written."""
        self.part("Overview")
        self.window.page.get_by_role("link", name="Follow the training").click()
        expect(self._region("Log").get_by_text("Live", exact=True)).to_be_visible()
        expect(self.window.page.get_by_role("log", name="Training log")).to_contain_text("Starting to train component")

    def expect_trained(self) -> None:
        """Until the log is complete and the training has succeeded; neither was asked for again."""
        page = self.window.page
        expect(self._region("Log").get_by_text("Complete")).to_be_visible(timeout=TRAINED_WITHIN * 1000)
        expect(page.get_by_role("status").filter(has_text="Succeeded")).to_be_visible()

    def say(self, message: str, answer: str) -> None:
        """Say something in the chat; returns when the answer is there and the inspector has the whole turn."""
        page = self.window.page
        page.get_by_role("textbox", name="Message", exact=True).fill(message)
        page.keyboard.press("Enter")
        expect(page.get_by_role("log", name="Messages")).to_contain_text(answer)
        expect(self._region("Inspector").get_by_text("Up to date")).to_be_visible(timeout=STORED_WITHIN * 1000)

    def expect_understood(self, intent: str) -> None:
        """The inspector shows this intent at the head of a ranking of several."""
        ranking = self._region("Intents").get_by_role("progressbar")
        expect(ranking.first).to_have_accessible_name(f"Confidence of {intent}")
        assert ranking.count() > 1

    def expect_slot(self, name: str, value: str) -> None:
        """The inspector shows this slot after the turn."""
        expect(self._region("Slots after this turn").locator("div").filter(has_text=name).first).to_contain_text(value)

    def expect_event(self, words: str) -> None:
        """The inspector shows this event of the turn."""
        expect(self._region("Events").get_by_role("listitem").filter(has_text=words).first).to_be_visible()

    def find_conversation(self, words: str, sender: str) -> Locator:
        """The sender's row of the list of conversations, with the list narrowed to these words and the assistant."""
        page = self.window.page
        self.menu("Conversations")
        filters = page.get_by_role("search")
        filters.get_by_role("textbox", name="Words").fill(words)
        filters.get_by_role("combobox", name="Assistant").fill(self.assistant)
        page.keyboard.press("Escape")
        expect(filters.get_by_role("button", name="Clear 2 filters")).to_be_visible()
        return self.conversation_with(sender)

    def conversation_with(self, sender: str) -> Locator:
        """The sender's row of the list of conversations."""
        row = self.window.page.get_by_role("row").filter(has_text=sender)
        expect(row).to_have_count(1)
        return row

    def tag(self, tag: str) -> None:
        """Tag the conversation that is open."""
        page = self.window.page
        page.get_by_role("combobox", name="New tag").fill(tag)
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_role("button", name=f"Take the tag {tag} away")).to_be_visible()

    def flag(self, message: str, reason: str) -> None:
        """Flag a message of the conversation that is open."""
        page = self.window.page
        page.get_by_role("list", name="Messages").get_by_role("button", name=message).click()
        page.get_by_label("Reason of a new flag").fill(reason)
        page.get_by_role("button", name="Flag", exact=True).click()
        expect(self._region("Flags").get_by_text(f"about “{message}”")).to_be_visible()

    def edit(self, path: str, old: str, new: str) -> None:
        """Find some words of a file, write others in their place, and save the file."""
        page = self.window.page
        self.part("Content")
        page.get_by_role("navigation", name="Files").get_by_role("link", name=path).click()
        page.get_by_role("textbox", name=f"Text of {path}").click()
        page.keyboard.press("ControlOrMeta+f")
        # It listens to keys.
        page.get_by_role("textbox", name="Find").press_sequentially(old)
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        page.keyboard.type(new)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("status").filter(has_text=re.compile("^Saved$"))).to_be_visible()

    def publish(self, message: str) -> None:
        """Publish the draft."""
        page = self.window.page
        page.get_by_role("button", name="Publish", exact=True).click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("textbox", name="What has changed").fill(message)
        dialog.get_by_role("button", name="Publish", exact=True).click()
        expect(dialog).to_be_hidden()

    def expect_active_model(self, version: str) -> None:
        """Until the list of models, unasked, says that this one is active."""
        row = self.window.page.get_by_role("row", name=f"Model {version} Active")
        expect(row).to_be_visible(timeout=(TRAINED_WITHIN + SERVED_WITHIN) * 1000)

    def system(self, part: str) -> None:
        """Choose one of the parts of the system: Status, Dead letters, Audit."""
        parts = self.window.page.get_by_role("navigation", name="Parts of the system")
        parts.get_by_role("link", name=part).click()

    def expect_dead_letter(self, text: str) -> None:
        """Refresh the dead letters until there is one, open the newest, and find this text in it."""
        page = self.window.page
        letters = page.get_by_role("main").get_by_role("button", expanded=False).filter(has_text=" / ")

        def arrived() -> bool:
            page.get_by_role("button", name="Refresh").click()
            return letters.count() > 0

        eventually("a dead letter is listed", arrived, within=STORED_WITHIN)
        letters.first.click()
        expect(page.get_by_label("The message").first).to_contain_text(text)

    def delete(self) -> None:
        """Delete the assistant; returns when the list has shown its going."""
        page = self.window.page
        self.part("Overview")
        page.get_by_role("button", name=f"More actions for {self.assistant}").click()
        page.get_by_role("menuitem", name="Delete").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("textbox", name=f"Type {self.assistant} to confirm").fill(self.assistant)
        dialog.get_by_role("button", name="Delete assistant").click()
        self._headed("Assistants")
        expect(page.get_by_role("link", name=self.assistant, exact=True)).to_have_count(0, timeout=SERVED_WITHIN * 1000)

    def _headed(self, title: str) -> None:
        expect(self.window.page.get_by_role("heading", name=title, level=1)).to_be_visible()

    def _region(self, title: str) -> Locator:
        return self.window.page.get_by_role("region", name=title, exact=True)


def confirm_device(window: Window, url: str, code: str) -> None:
    """Let the command line in: enter its code where it said, and grant what it asks for."""
    page = window.page
    page.goto(url)
    page.get_by_role("textbox").fill(code)
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("Device Login Successful")).to_be_visible()
