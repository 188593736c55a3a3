"""Command line: ``PYTHONPATH=images python -m builder build|list|refs|load [NAME...]``."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from builder import plan, registry
from builder.building import build, references
from builder.catalog import discover
from builder.errors import BuildError
from builder.handover import load
from builder.process import say
from builder.store import cache_folder, locked, open_store

ROOT = Path(__file__).resolve().parents[2]


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    top = argparse.ArgumentParser(prog="builder", description="Builds the container images of Studio Operator.")
    top.add_argument(
        "--with",
        dest="tool",
        choices=("auto", "buildah", "docker"),
        default="auto",
        help="what to build with; auto takes Docker only if its daemon answers",
    )
    commands = top.add_subparsers(dest="command", required=True)
    for name, text in {
        "build": "build what is missing and print the references",
        "list": "names and references, without building",
        "refs": "a JSON object of name to reference, without building",
        "load": f"build what is missing and hand it to the cluster, or push it to the registry {registry.VARIABLE}",
    }.items():
        commands.add_parser(name, help=text).add_argument("names", nargs="*", metavar="NAME")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a failure is one clear message."""
    options = parser().parse_args(arguments)
    try:
        images = discover(ROOT)
        order = plan.select(images, options.names)
        store = open_store(options.tool, ROOT)
        if options.command in {"list", "refs"}:
            refs = registry.published(references(ROOT, images, order, store.base_ref()), registry.chosen())
            print(json.dumps(refs) if options.command == "refs" else _table(refs))
            return 0
        with locked(cache_folder()):
            refs = build(ROOT, images, order, store)
            if options.command == "load" and (target := registry.chosen()):
                registry.push(refs, order, store, target)
                refs = registry.published(refs, target)
            elif options.command == "load":
                load(ROOT, refs, order, store)
        print(_table(refs))
    except BuildError as error:
        say(f"error: {error}")
        return 1
    return 0


def _table(refs: dict[str, str]) -> str:
    return "\n".join(f"{name:20} {ref}" for name, ref in sorted(refs.items()))


if __name__ == "__main__":
    sys.exit(main())
