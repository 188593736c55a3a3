"""`kubectl studio`: finding the Studio through kubectl, and completion as kubectl asks for it.

https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/
"""

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys

from studio.cli import config
from studio.cli.errors import UsageError

SECONDS = 10
# The last line of an answer to kubectl (cobra's ShellCompDirectiveNoFileComp): do not offer files.
_NO_FILES = ":4"


def public_url() -> str | None:
    """`spec.publicUrl` of the one Studio in kubectl's namespace; None if kubectl cannot tell.

    Raises UsageError when there are several.
    """
    try:
        done = subprocess.run(
            ["kubectl", "get", "studios.studio-operator.io", "-o", "json"],
            capture_output=True, timeout=SECONDS, check=True,
        )  # fmt: skip
        items = json.loads(done.stdout)["items"]
        urls = {item["metadata"]["name"]: item.get("spec", {}).get("publicUrl") for item in items}
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None
    if len(urls) > 1:
        raise UsageError(
            "There are several Studios in this namespace",
            ", ".join(sorted(urls)) + ".",
            remedy="Choose one: `kubectl studio config set-url URL`.",
        )
    url = next(iter(urls.values()), None)
    return config.parse_url(url, "spec.publicUrl of the Studio") if url else None


def complete() -> None:
    """`kubectl_complete-studio ARGUMENTS`: one candidate a line, then what kubectl shall do with them."""
    from studio.cli.app import app

    words = ["studio", *sys.argv[1:]]
    os.environ.update(
        _STUDIO_COMPLETE="complete_bash", COMP_WORDS=shlex.join(words), COMP_CWORD=str(max(len(words) - 1, 1))
    )
    found = io.StringIO()
    with contextlib.redirect_stdout(found), contextlib.suppress(SystemExit):
        app(prog_name="studio")
    candidates = [line for line in found.getvalue().splitlines() if line]
    sys.stdout.write("\n".join([*candidates, _NO_FILES]) + "\n")
