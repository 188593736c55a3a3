"""Measures ingestion: its rate, how soon an event can be read, and what kills do to it.

Needs no cluster: it starts its own PostgreSQL and Kafka on loopback. Results go into bench/results/studio.json.
"""

import asyncio
import sys
from collections.abc import Sequence

from measuring import command, goals, ingestion
from measuring.figures import percentile, spread
from measuring.results import FOLDER, Circumstances, Result, judge

FILE = FOLDER / "studio.json"
COMMAND = "make bench-studio"


def rate(where: Circumstances) -> list[Result]:
    """Ingestion against COPY and executemany, in turn."""
    found = asyncio.run(ingestion.rates())
    to_copy, to_inserts = found.ratios(found.copy), found.ratios(found.executemany)
    return [
        judge(goals.COPY_RATIO, percentile(to_copy, 0.5), where, spread=spread(to_copy)),
        judge(goals.EXECUTEMANY_RATIO, percentile(to_inserts, 0.5), where, spread=spread(to_inserts)),
        judge(goals.INGESTION_RATE, percentile(found.ingestion, 0.5), where, spread=(
            f"ingestion {spread(found.ingestion)}; COPY {spread(found.copy)}; executemany {spread(found.executemany)}"
        )),
    ]  # fmt: skip


def visible(where: Circumstances) -> list[Result]:
    """From sending to reading at a steady rate, and the memory before that."""
    found = asyncio.run(ingestion.visible())
    detail = f"p50 {found.p50:.0f} ms, slowest {found.slowest:.0f} ms"
    return [
        judge(goals.VISIBLE, found.p99, where, spread=detail),
        judge(goals.INGESTION_MEMORY, found.resident_mib, where),
    ]


def kills(where: Circumstances) -> list[Result]:
    """What is lost and doubled when everything is killed."""
    found = asyncio.run(ingestion.kills())
    detail = f"conversations out of order {found.disordered}, counted wrongly {found.miscounted}"
    return [
        judge(goals.LOST, found.lost, where, spread=detail),
        judge(goals.DOUBLED, found.doubled, where),
    ]


PARTS: dict[str, command.Part] = {"rate": rate, "visible": visible, "kills": kills}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts, write the file. Returns the exit code: 1 when a goal was missed."""
    chosen = command.parser(__doc__, PARTS).parse_args(arguments).parts
    return command.measure(PARTS, chosen, command.circumstances(COMMAND), file=FILE, order=goals.STUDIO)


if __name__ == "__main__":
    sys.exit(main())
