"""Inputs that are built rather than written: binaries of the cluster's tool box, copied into the build context."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from builder.errors import BuildError
from builder.process import output_of


@dataclass(frozen=True)
class Staged:
    """A binary in the build context: the tool's name, and the sources that determine it."""

    tool: str
    sources: tuple[str, ...]


STAGED = {
    "build/tools/versitygw": Staged("versitygw", ("e2e/cluster/tools/versitygw",)),
}


def sources_of(path: str) -> tuple[str, ...]:
    """What determines an input: a staged binary is as good as the pinned sources it is built from."""
    return STAGED[path].sources if path in STAGED else (path,)


def stage(root: Path, inputs: tuple[str, ...]) -> None:
    """Put the staged inputs of an image into the build context."""
    for path in inputs:
        if path not in STAGED:
            continue
        tool = STAGED[path].tool
        lines = output_of([sys.executable, "-m", "cluster", "tool", tool], cwd=root / "e2e").strip().splitlines()
        if not lines or not Path(lines[-1]).is_file():
            raise BuildError(f"`PYTHONPATH=e2e python -m cluster tool {tool}` did not print the path of the binary.")
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # Copied beside and renamed: another build may read the old one right now.
        unfinished = target.with_suffix(".unfinished")
        shutil.copyfile(lines[-1], unfinished)
        unfinished.chmod(0o755)
        unfinished.replace(target)
