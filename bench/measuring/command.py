"""What the benchmarks' commands have in common: circumstances, the cluster at hand, the file, the printed lines."""

import argparse
import datetime as dt
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from measuring.goals import Goal
from measuring.results import Circumstances, Result, load, merged, save
from stage.kubectl import Kubectl

Part = Callable[[Circumstances], list[Result]]


def parser(about: str | None, parts: Mapping[str, Part]) -> argparse.ArgumentParser:
    """Of a command line that chooses among parts; without a choice, all of them."""
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--parts", nargs="*", choices=parts, default=list(parts))
    return made


def measure(
    parts: Mapping[str, Part], chosen: Sequence[str], where: Circumstances, *, file: Path, order: Iterable[Goal]
) -> int:
    """Run the chosen parts and keep what each gives.

    Returns the exit code: 1 when a goal was missed.
    """
    missed = 0
    for number, name in enumerate(chosen, 1):
        print(f"part {number} of {len(chosen)}: {name}", flush=True)
        results = parts[name](where)
        keep(file, results, order)
        missed |= tell(results)
    return missed


def circumstances(command: str) -> Circumstances:
    """Of a run that begins now."""
    return Circumstances(command, dt.datetime.now(dt.UTC).date().isoformat(), _commit())


def cluster_at_hand() -> Kubectl:
    """The cluster of KUBECONFIG, else the local one. Raises ClusterError."""
    return Kubectl.find()


def keep(file: Path, results: Sequence[Result], order: Iterable[Goal]) -> None:
    """Put new results into the file; it keeps the newest of each measure."""
    save(file, merged(load(file), results, order))


def tell(results: Iterable[Result]) -> int:
    """Print a line a result; returns the exit code: 1 when a goal was missed."""
    missed = 0
    for result in results:
        print(
            f"{_mark(result)} {result.measure}: {result.value:g} {result.unit} ({result.goal}) {result.spread}",
            flush=True,
        )
        missed += result.met is False
    return 1 if missed else 0


def _commit() -> str:
    """The commit that is measured, marked when the checkout differs from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.strip() or "not committed"


def _mark(result: Result) -> str:
    return {True: "met   ", False: "MISSED", None: "      "}[result.met]
