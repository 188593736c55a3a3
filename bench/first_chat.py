"""Measures the first chat on the cluster at hand; writes bench/results/first-chat.json.

Parts can be left out; the file keeps the newest result of each measure. What `make` takes as a whole is measured by
whoever calls it and handed over in seconds.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from measuring import command, figures, goals, scenarios
from measuring.results import FOLDER, Circumstances, Result, judge

from cluster.errors import ClusterError
from stage.kubectl import Kubectl

FILE = FOLDER / "first-chat.json"
COMMAND = "make bench-first-chat"
KILLS, APPLIES = 10, 2
GIVEN = {
    "make_up_cold": (goals.UP_COLD, "time make up"),
    "make_up_warm": (goals.UP_WARM, "time make up"),
    "cluster_up": (goals.CLUSTER_UP, "time make cluster-up"),
    "test_cold": (goals.TEST_COLD, "time make test"),
    "test_warm": (goals.TEST_WARM, "time make test"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts, write the file. Returns the exit code: 1 when a goal was missed."""
    options = _parser().parse_args(arguments)
    where = command.circumstances(COMMAND)
    given = [
        judge(goal, seconds, replace(where, command=timed), spread="given by the caller")
        for name, (goal, timed) in GIVEN.items()
        if (seconds := getattr(options, name)) is not None
    ]
    command.keep(FILE, given, goals.FIRST_CHAT)
    missed = command.tell(given)
    return missed | command.measure(PARTS, options.parts, where, file=FILE, order=goals.FIRST_CHAT)


def _arrivals(where: Circumstances) -> list[Result]:
    """Undisturbed, and then with the operator killed again and again: the end states are compared."""
    kubectl = command.cluster_at_hand()
    seen = scenarios.arrivals(kubectl)
    consumers = [mebibytes for component in scenarios.CONSUMERS for mebibytes in seen.memory[component]]
    orchestrators = [mebibytes for component in scenarios.ORCHESTRATORS for mebibytes in seen.memory[component]]
    what = "examples/concert-hall without its action server"
    return [
        judge(goals.FIRST, seen.first, where, spread=what),
        judge(goals.SECOND, seen.second, where, spread=what),
        judge(goals.OPERATOR_MEMORY, max(seen.memory["operator"]), where),
        judge(goals.CONSUMER_MEMORY, max(consumers), where, spread=figures.spread(consumers)),
        judge(goals.ORCHESTRATOR_MEMORY, max(orchestrators), where, spread=figures.spread(orchestrators)),
        judge(goals.CPU_REQUESTS, float(seen.cores), where),
        judge(goals.CPU_REQUESTS_WARM, float(seen.cores + seen.engine), where),
        _survived(kubectl, seen, where),
    ]


def _survived(kubectl: Kubectl, seen: scenarios.Arrivals, where: Circumstances) -> Result:
    drawn = scenarios.moments_of(KILLS, APPLIES, within=seen.first, seed=1)
    survivals = [scenarios.survive(kubectl, seen.state, moments) for moments in drawn]
    survived = sum(len(survival.moments) for survival in survivals if not survival.differences)
    told = [
        f"kills at {', '.join(f'{moment:.0f}' for moment in survival.moments)} s, Ready after {survival.seconds:.0f} s"
        + (f", differences: {survival.differences}" if survival.differences else "")
        for survival in survivals
    ]
    return judge(goals.KILLS, survived, where, spread="; ".join(told))


def _rest(where: Circumstances) -> list[Result]:
    seen = scenarios.at_rest(command.cluster_at_hand())
    everybody = "" if seen.all_writes is None else f"; all clients of the API server {seen.all_writes:.2f} per second"
    return [
        judge(goals.WRITES, seen.writes, where, spread=f"in 60 s: {seen.detail}{everybody}"),
        judge(goals.READS, seen.reads, where, spread="in 60 s; all of them run; watches count when they are opened"),
    ]


def _drift(where: Circumstances) -> list[Result]:
    seconds = scenarios.repairs(command.cluster_at_hand())
    return [judge(goals.DRIFT, figures.percentile(seconds, 0.99), where, spread=figures.spread(seconds))]


PARTS: dict[str, command.Part] = {"arrivals": _arrivals, "rest": _rest, "drift": _drift}


def _parser() -> argparse.ArgumentParser:
    parser = command.parser(__doc__, PARTS)
    for name, (goal, _) in GIVEN.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, metavar="SECONDS", help=goal.measure)
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
