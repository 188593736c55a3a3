"""Measures the first chat on the cluster at hand; writes bench/results/first-chat.json.

Parts can be left out; the file keeps the newest result of each measure. What `make` takes as a whole is measured by
whoever calls it and handed over in seconds.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from measuring import command, figures, goals, scenarios
from measuring.results import FOLDER, Circumstances, Result, judge
from measuring.scenarios import Sample

from cluster.errors import ClusterError
from stage.kubectl import Kubectl
from studio.cli.errors import Refused

FILE = FOLDER / "first-chat.json"
COMMAND = "make bench-first-chat"
# Two kills an apply: after the second one the kubelet waits before each restart, and the third would come too late.
KILLS, APPLIES = 10, 5
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
    parts: dict[str, command.Part] = {**PARTS, "arrivals": partial(_arrivals, chosen=options.content)}
    return missed | command.measure(parts, options.parts, where, file=FILE, order=goals.FIRST_CHAT)


def _arrivals(where: Circumstances, chosen: Sample | None = None) -> list[Result]:
    """Undisturbed, and then with the operator killed again and again: the end states are compared."""
    kubectl, sample = command.cluster_at_hand(), chosen or scenarios.concert_hall()
    if chosen:
        where = replace(where, command=f"bench/first_chat.py --parts arrivals --content {chosen.name}")
    seen = scenarios.arrivals(kubectl, sample)
    what = f"{sample.name} without an action server"
    passes = (
        "no goal: it is there only during the last minute of a training, and is given up where there is no room "
        "(docs/adr/0035)"
    )
    return [
        judge(goals.FIRST, seen.first, where, spread=what),
        judge(goals.SECOND, seen.second, where, spread=what),
        judge(goals.CPU_REQUESTS, float(seen.cores), where),
        judge(goals.CPU_REQUESTS_WARM, float(seen.cores + seen.engine), where, spread=passes),
        _survived(kubectl, sample, seen, where),
    ]


def _survived(kubectl: Kubectl, sample: Sample, seen: scenarios.Arrivals, where: Circumstances) -> Result:
    drawn = scenarios.moments_of(KILLS, APPLIES, within=seen.first, seed=1)
    survivals = [scenarios.survive(kubectl, sample, seen.state, planned) for planned in drawn]
    survived = sum(len(survival.moments) for survival in survivals if not survival.differences)
    told = [
        f"kills at {', '.join(f'{moment:.0f}' for moment in survival.moments)} s, Ready after {survival.seconds:.0f} s"
        + (f", differences: {survival.differences}" if survival.differences else "")
        for survival in survivals
    ]
    return judge(goals.KILLS, survived, where, spread="; ".join([sample.name, *told]))


def _rest(where: Circumstances) -> list[Result]:
    seen = scenarios.at_rest(command.cluster_at_hand())
    consumers = [mebibytes for component in scenarios.CONSUMERS for mebibytes in seen.memory[component]]
    orchestrators = [mebibytes for component in scenarios.ORCHESTRATORS for mebibytes in seen.memory[component]]
    during, beside = f"in {seen.seconds:.0f} s", f"with {scenarios.RESTING} Assistants"
    watches = "all of them run; watches count when they are opened"
    return [
        judge(goals.OPERATOR_MEMORY, max(seen.memory["operator"]), where, spread=beside),
        judge(goals.CONSUMER_MEMORY, max(consumers), where, spread=f"{beside}: {figures.spread(consumers)}"),
        judge(
            goals.ORCHESTRATOR_MEMORY, max(orchestrators), where, spread=f"{beside}: {figures.spread(orchestrators)}"
        ),
        judge(goals.WRITES, seen.writes, where, spread=f"{during}: {seen.detail}{_everybody(seen)}"),
        judge(goals.READS, seen.reads, where, spread=f"{during}; {watches}"),
    ]


def _everybody(seen: scenarios.Rest) -> str:
    """The writes of all clients of the API server in words: those of controllers and nodes are among them."""
    if seen.everybody is None:
        return ""
    rate = seen.everybody.total() / seen.seconds
    largest = ", ".join(f"{number} {resource}" for resource, number in seen.everybody.most_common(3))
    return f"; everybody's writes at the API server, not the Studio's alone: {rate:.2f} per second" + (
        f", above all {largest}" if largest else ""
    )


def _drift(where: Circumstances) -> list[Result]:
    seconds = scenarios.repairs(command.cluster_at_hand())
    return [judge(goals.DRIFT, figures.percentile(seconds, 0.99), where, spread=figures.spread(seconds))]


PARTS: dict[str, command.Part] = {"arrivals": _arrivals, "rest": _rest, "drift": _drift}


def _parser() -> argparse.ArgumentParser:
    parser = command.parser(__doc__, PARTS)
    for name, (goal, _) in GIVEN.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, metavar="SECONDS", help=goal.measure)
    about = "assistant in English that arrives (config.yml, domain.yml, data/); default: examples/concert-hall"
    parser.add_argument("--content", type=_sample, metavar="FOLDER", help=about)
    return parser


def _sample(folder: str) -> Sample:
    try:
        return scenarios.sample(Path(folder))
    except Refused as error:
        raise argparse.ArgumentTypeError(f"{error.title}. {error.detail} {error.remedy}".rstrip()) from error


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
