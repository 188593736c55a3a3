"""A real browser for people of the suite: windows that remember what went wrong in them, checked for accessibility."""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from cluster.packages import ensure_packages
from stage.kubectl import REPOSITORY
from studio_e2e import accessibility

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# Two busy cores draw a page in a second or two; Keycloak's first page takes longer.
PATIENCE = 30.0
DRAWN_WITHIN = 15.0
PICTURES = REPOSITORY / "docs" / "screenshots"
LOOKS = REPOSITORY / "build" / "e2e"
_WIDTH, _HEIGHT = 1440, 900
_SETTLED = 2.0
_REFUSED = 400
# The page has taken the scheme and, for ten frames, nothing that ends by itself was fading: one fading starts another.
_PAINTED = """async (scheme) => {
  const fades = (each) => each.effect.getComputedTiming().iterations !== Infinity;
  for (let quiet = 0; quiet < 10; ) {
    await new Promise(requestAnimationFrame);
    const taken = document.documentElement.dataset.mantineColorScheme === scheme;
    quiet = taken && !document.getAnimations().some(fades) ? quiet + 1 : 0;
  }
  return true;
}"""
# The web client keeps its tokens in the session storage of the tab.
_ASK = """async ([method, path]) => {
  const key = Object.keys(sessionStorage).find((name) => name.startsWith("oidc.user:"));
  const token = JSON.parse(sessionStorage.getItem(key)).access_token;
  return (await fetch(path, {method, headers: {Authorization: `Bearer ${token}`}})).status;
}"""


@dataclass
class Window:
    """One person's window. `complaints` has errors of the console, of scripts and of the server, in their order."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("response", self._answered)

    def open(self, path: str) -> None:
        """Go to a page of the Studio by its address.

        kubectl, which forwards it, now and then leaves one of a page's connections without an answer for ever. Then it
        is loaded anew, as a person would.
        """
        drawn = self.page.locator("#root > *").first
        for patience in (DRAWN_WITHIN, DRAWN_WITHIN, PATIENCE):
            self.page.goto(f"{self.origin}{path}")
            with contextlib.suppress(PlaywrightTimeout):
                drawn.wait_for(state="attached", timeout=patience * 1000)
                return
        raise AssertionError(f"{self.page.url} stays empty")

    def sign_in(self, username: str, password: str) -> None:
        """From the first page through Keycloak's form and back; returns when the Studio shows its menu."""
        self.open("/")
        self.page.get_by_role("button", name="Sign in").click()
        self.give_credentials(username, password)
        expect(self.page.get_by_role("heading", name="Assistants", level=1)).to_be_visible()
        self.expect_live()

    def give_credentials(self, username: str, password: str) -> None:
        """Fill in Keycloak's form, wherever it came from."""
        self.page.get_by_label("Username or email").fill(username)
        self.page.get_by_role("textbox", name="Password").fill(password)
        self.page.get_by_role("button", name="Sign In").click()

    def expect_live(self) -> None:
        """Until the stream of changes is open."""
        expect(self.page.get_by_role("status").filter(has_text=re.compile("^Live$"))).to_be_visible()

    def expect_accessible(self) -> None:
        """No finding of axe on what is shown now, in light and in dark colours. Raises AssertionError with them all."""
        found = []
        for scheme in SCHEMES:
            with self._colours(scheme):
                found += [f"{scheme}: {finding}" for finding in accessibility.findings(self.page)]
        assert not found, f"{self.page.url}:\n" + "\n".join(found)

    def picture(self, name: str, scheme: Scheme = "light") -> None:
        """Keep what is shown as docs/screenshots/<name>.png, if STUDIO_SCREENSHOTS=1 asks for pictures."""
        if os.environ.get("STUDIO_SCREENSHOTS") == "1":
            with self._colours(scheme):
                self.page.screenshot(path=PICTURES / f"{name}.png", animations="disabled", scale="css")

    def requests_during(self, seconds: float) -> list[str]:
        """Method and URL of every request that begins within `seconds`, once the page has come to rest."""
        seen: list[str] = []

        def note(request: Request) -> None:
            seen.append(f"{request.method} {request.url}")

        self.page.on("request", note)
        self._come_to_rest(seen)
        seen.clear()
        self.page.wait_for_timeout(seconds * 1000)
        self.page.remove_listener("request", note)
        return list(seen)

    def status_of(self, method: str, path: str) -> int:
        """The status of an API request in the name of who is signed in, which the page itself would not make."""
        before = len(self.complaints)
        status: int = self.page.evaluate(_ASK, [method, path])
        del self.complaints[before:]
        return status

    def _come_to_rest(self, seen: list[str]) -> None:
        deadline, count = time.monotonic() + PATIENCE, -1
        while count != len(seen) and time.monotonic() < deadline:
            count = len(seen)
            # Only while it waits for something does Playwright hear of requests.
            self.page.wait_for_timeout(_SETTLED * 1000)

    @contextlib.contextmanager
    def _colours(self, scheme: Scheme) -> Iterator[None]:
        self._paint(scheme)
        yield
        self._paint("light")

    def _paint(self, scheme: Scheme) -> None:
        self.page.emulate_media(color_scheme=scheme)
        self.page.wait_for_function(_PAINTED, arg=scheme)

    def _heard(self, message: ConsoleMessage) -> None:
        # The answer itself is noted with its address.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.complaints.append(f"console: {message.text}")

    def _answered(self, response: Response) -> None:
        if response.status >= _REFUSED:
            self.complaints.append(f"{response.status} for {response.request.method} {response.url}")


class Windows:
    """The windows of a test: each person has one, with a memory of its own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._opened: list[Window] = []

    def new(self, origin: str) -> Window:
        """A window on the Studio of this origin; nobody is signed in."""
        context = self._browser.new_context(
            viewport={"width": _WIDTH, "height": _HEIGHT},
            color_scheme="light",
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
        )
        context.set_default_timeout(PATIENCE * 1000)
        window = Window(context.new_page(), origin)
        self._opened.append(window)
        return window

    def report(self, name: str) -> list[tuple[str, str]]:
        """Where each window is, what went wrong in it, and where its picture was put. Never raises."""
        looks = [(window, LOOKS / f"{name}-{number}.png") for number, window in enumerate(self._opened, start=1)]
        return [(f"window {place.stem}", _look(window, place)) for window, place in looks]


@contextlib.contextmanager
def browsing() -> Iterator[Windows]:
    """A Chromium of this machine for as long as the block runs; Debian's is installed where there is none.

    Raises ClusterError with the remedy where none can be installed.
    """
    program = _program()
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not start for root; what it opens here is ours.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=options)
        try:
            yield Windows(browser)
        finally:
            browser.close()


def requests_at_rest(origin: str, username: str, password: str, *, seconds: float = 60.0) -> list[str]:
    """What an open page of assistants asks for in `seconds` while nothing happens, as method and URL.

    The stream of changes, open before, is not among it.
    """
    with browsing() as windows:
        window = windows.new(origin)
        window.sign_in(username, password)
        return window.requests_during(seconds)


def _look(window: Window, place: Path) -> str:
    words = [f"at {window.page.url}", *window.complaints]
    try:
        window.page.screenshot(path=place, timeout=10_000)
    except PlaywrightError as error:
        return "\n".join([*words, f"no picture: {error}"])
    return "\n".join([*words, f"picture: {place}"])


def _program() -> str:
    if not any(map(shutil.which, PROGRAMS)):
        ensure_packages(PROGRAMS[:1], print)
    return next(path for path in map(shutil.which, PROGRAMS) if path)
