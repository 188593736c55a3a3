"""`python -m studio.cli`, and the entry points `studio` and `kubectl-studio`."""

import sys
from pathlib import Path

from studio.cli.app import app
from studio.cli.program import World

PLUGIN = "kubectl-studio"


def main() -> None:
    """Run the command of the arguments; never returns."""
    as_kubectl = Path(sys.argv[0]).stem == PLUGIN
    app(prog_name="kubectl studio" if as_kubectl else "studio", obj=World(as_kubectl=as_kubectl))


if __name__ == "__main__":
    main()
