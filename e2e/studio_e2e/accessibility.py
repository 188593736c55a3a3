"""axe-core on a page: what people with other eyes, hands and ears would stumble over."""

from functools import cache
from typing import Any

from playwright.sync_api import Page

from cluster.errors import ClusterError
from stage.kubectl import REPOSITORY

SCRIPT = REPOSITORY / "web" / "node_modules" / "axe-core" / "axe.min.js"
_RUN = "() => axe.run(document, {resultTypes: ['violations']}).then((result) => result.violations)"


def findings(page: Page) -> list[str]:
    """One line for each violation on what the page shows now: the rule, its sense, and where.

    Rules: https://dequeuniversity.com/rules/axe. Raises ClusterError where axe-core is not installed.
    """
    # By evaluation: a script element would be refused by the page's content security policy.
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_script())
    return [_line(violation) for violation in page.evaluate(_RUN)]


def _line(violation: dict[str, Any]) -> str:
    places = [f"{' '.join(map(str, node['target']))} ({_why(node)})" for node in violation["nodes"]]
    return f"{violation['id']}: {violation['help']}: {'; '.join(places[:4])}"


def _why(node: dict[str, Any]) -> str:
    return ", ".join(check["message"] for check in node["any"] + node["all"] + node["none"])


@cache
def _script() -> str:
    if not SCRIPT.exists():
        raise ClusterError(f"{SCRIPT} does not exist: install what the web client is developed with (npm ci in web)")
    return SCRIPT.read_text()
