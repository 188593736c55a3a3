"""Completion as kubectl asks for it: https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/."""

import contextlib
import io
import os
import shlex
import sys

from studio.cli.app import app

# The last line of an answer to kubectl (cobra's ShellCompDirectiveNoFileComp): do not offer files.
_NO_FILES = ":4"


def complete() -> None:
    """`kubectl_complete-studio ARGUMENTS`: one candidate a line, then what kubectl shall do with them."""
    words = ["studio", *sys.argv[1:]]
    os.environ.update(
        _STUDIO_COMPLETE="complete_bash", COMP_WORDS=shlex.join(words), COMP_CWORD=str(max(len(words) - 1, 1))
    )
    found = io.StringIO()
    with contextlib.redirect_stdout(found), contextlib.suppress(SystemExit):
        app(prog_name="studio")
    candidates = [line for line in found.getvalue().splitlines() if line]
    sys.stdout.write("\n".join([*candidates, _NO_FILES]) + "\n")
