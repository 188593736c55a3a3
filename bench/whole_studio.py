"""Measures the whole studio on the cluster at hand; writes bench/results/studio.json."""

import sys
from collections.abc import Sequence

from measuring import command, goals, whole
from measuring.results import FOLDER, Circumstances, Result, judge

from cluster.errors import ClusterError

FILE = FOLDER / "studio.json"
COMMAND = "make bench-studio"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts, write the file. Returns the exit code: 1 when a goal was missed."""
    chosen = command.parser(__doc__, PARTS).parse_args(arguments).parts
    return command.measure(PARTS, chosen, command.circumstances(COMMAND), file=FILE, order=goals.STUDIO)


def _arrival(where: Circumstances) -> list[Result]:
    seen = whole.arrival(command.cluster_at_hand())
    total = whole.added(seen.own.values())
    parts = ", ".join(f"{component} {memory.proportional:.0f}" for component, memory in seen.own.items())
    detail = f"{parts}; with shared pages counted for each process {total.resident:.0f}"
    return [
        judge(goals.WHOLE_FIRST, seen.seconds, where, spread="examples/concert-hall without its action server"),
        judge(goals.WHOLE_MEMORY, total.proportional, where, spread=detail),
        judge(goals.KEYCLOAK_MEMORY, seen.keycloak_memory, where),
        judge(goals.PAGE_REQUESTS, len(seen.page_requests), where, spread=", ".join(seen.page_requests)),
    ]


def _web(where: Circumstances) -> list[Result]:
    kilobytes, detail = whole.first_load()
    return [judge(goals.FIRST_LOAD, kilobytes, where, spread=detail)]


PARTS: dict[str, command.Part] = {"arrival": _arrival, "web": _web}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
