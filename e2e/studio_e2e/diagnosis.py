"""Everything that whoever reads a failed test at three in the morning wants to see, in one text."""

from collections.abc import Callable
from functools import partial
from subprocess import SubprocessError

from cluster.errors import ClusterError
from studio_e2e.assistants import summary
from studio_e2e.faults import OPERATOR, OPERATOR_NAMESPACE
from studio_e2e.space import Space

_LOG_LINES = 40


def report(space: Space) -> str:
    """Conditions, events, pods and logs of a namespace, and the end of the operator's log. Never raises."""
    sections = [
        ("conditions", lambda: "\n".join(summary(item) for item in space.list("studios,assistants"))),
        ("pods and Jobs", lambda: space.run("get", "pods,jobs,deployments,statefulsets,services", "-o", "wide")),
        ("events", lambda: space.run("get", "events", "--sort-by=.lastTimestamp")[-8000:]),
        ("logs", lambda: _logs(space)),
        ("operator", lambda: _operator_log(space)),
    ]
    return "\n".join(f"--- {title} of {space.name}\n{_attempt(read)}" for title, read in sections)


def _attempt(read: Callable[[], str]) -> str:
    try:
        return read()
    except (ClusterError, SubprocessError) as error:
        return f"(could not be read: {error})"


def _logs(space: Space) -> str:
    names = [pod["metadata"]["name"] for pod in space.list("pods")]
    options = ("--all-containers", "--ignore-errors", f"--tail={_LOG_LINES}")
    return "\n".join(f"- {name}\n{_attempt(partial(space.run, 'logs', name, *options))}" for name in names)


def _operator_log(space: Space) -> str:
    home = Space(space.kubectl, OPERATOR_NAMESPACE)
    return home.run("logs", f"deployment/{OPERATOR}", f"--tail={3 * _LOG_LINES}")
