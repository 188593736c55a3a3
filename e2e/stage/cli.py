"""The command line: `operator`, `example`, `chat`, `open`, `down`."""

import argparse
import signal
import sys
from collections.abc import Sequence

from cluster.cli import provider_name
from cluster.errors import ClusterError
from cluster.paths import Paths
from cluster.progress import Progress
from stage import chat, entry, example, operator
from stage.kubectl import Kubectl


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a problem is told in one sentence on standard error. Returns the exit code."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    try:
        if options.command == "down":
            down(progress)
            return 0
        kubectl = Kubectl.find()
        match options.command:
            case "operator":
                operator.install(kubectl, progress)
            case "example":
                example.bring_up(kubectl, options.namespace, progress)
            case "chat":
                chat.talk(kubectl, options.namespace, options.assistant, options.message)
            case "open":
                print(entry.open_entry(kubectl, options.namespace, progress))
            case "forward":
                # The child ends with the call that waits for it.
                signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
                entry.forward_for_ever(kubectl, options.namespace, options.port)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def down(progress: Progress) -> None:
    """Take back what `operator`, `example` and `open` did. On a cluster of our own only what runs outside of it."""
    entry.close_entry()
    if provider_name("auto", Paths.from_environment()) == "existing":
        kubectl = Kubectl.find()
        example.remove(kubectl, progress)
        operator.remove(kubectl, progress)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stage", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("operator", help="install or upgrade the operator and wait until it leads")
    applied = commands.add_parser("example", help="apply the example assistant and wait until it answers")
    applied.add_argument("--namespace", default=example.NAMESPACE)
    commands.add_parser(
        "down", help="end what `open` started; on a cluster of somebody else remove example and operator"
    )
    opened = commands.add_parser("open", help="make a Studio reachable at its public address on this machine")
    opened.add_argument("--namespace", default=example.NAMESPACE)
    forward = commands.add_parser("forward", help="what `open` starts: forward a loopback port for ever")
    forward.add_argument("--namespace", required=True)
    forward.add_argument("--port", type=int, required=True)
    talk = commands.add_parser("chat", help="talk to an assistant")
    talk.add_argument("--namespace", default=example.NAMESPACE)
    talk.add_argument("--assistant", default=example.ASSISTANT)
    talk.add_argument("--message", action="append", default=[], help="say this and leave; may be repeated")
    return parser
