"""The command line: `operator`, `example`, `chat`, `remove`."""

import argparse
import sys
from collections.abc import Sequence

from cluster.errors import ClusterError
from cluster.progress import Progress
from stage import chat, example, operator
from stage.kubectl import Kubectl


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a problem is told in one sentence on standard error. Returns the exit code."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    try:
        kubectl = Kubectl.find()
        match options.command:
            case "operator":
                operator.install(kubectl, progress)
            case "example":
                example.bring_up(kubectl, progress)
            case "chat":
                chat.talk(kubectl, options.namespace, options.assistant, options.message)
            case "remove":
                example.remove(kubectl, progress)
                operator.remove(kubectl, progress)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stage", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("operator", help="install or upgrade the operator and wait until it leads")
    commands.add_parser("example", help="apply the example assistant and wait until it answers")
    commands.add_parser("remove", help="remove the example and the operator")
    talk = commands.add_parser("chat", help="talk to an assistant")
    talk.add_argument("--namespace", default=example.NAMESPACE)
    talk.add_argument("--assistant", default=example.ASSISTANT)
    talk.add_argument("--message", action="append", default=[], help="say this and leave; may be repeated")
    return parser
