"""The command line: ``python -m cluster <command>``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster.errors import ClusterError
from cluster.existing import ExistingCluster
from cluster.kind import KindCluster, docker_answers
from cluster.local.provider import LocalCluster
from cluster.packages import ensure_packages
from cluster.paths import Paths
from cluster.progress import Progress
from cluster.provider import PROVIDERS, Provider, choose_provider
from cluster.toolchain import CLUSTER_TOOLS, TOOLS, Toolchain


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments."""
    top = argparse.ArgumentParser(prog="python -m cluster", description="A Kubernetes cluster for end-to-end tests.")
    top.add_argument("--provider", choices=("auto", *PROVIDERS), default="auto", help="where the cluster runs")
    commands = top.add_subparsers(dest="command", required=True)
    for name, text in (
        ("up", "start the cluster, or repair it"),
        ("down", "remove the cluster; built tools and images stay"),
        ("status", "say whether the cluster is healthy; exit status 1 when it is not"),
        ("kubeconfig", "print the path of the kubeconfig file"),
        ("images", "print the names of the images in the cluster, one in a line"),
        ("tools", "build every program that the local cluster needs"),
    ):
        commands.add_parser(name, help=text)
    load = commands.add_parser("load", help="make the images of tar archives available to pods")
    load.add_argument("archives", nargs="+", type=Path, metavar="PATH", help="OCI image layout or docker-archive")
    packages = commands.add_parser("packages", help="install the Debian packages that are missing")
    packages.add_argument("names", nargs="+", metavar="NAME")
    tool = commands.add_parser("tool", help="print the path of a program, which is built if need be")
    tool.add_argument("name", choices=sorted(TOOLS))
    return top


def make_provider(wanted: str, paths: Paths, toolchain: Toolchain, progress: Progress) -> Provider:
    """Make the provider that the user wants or that fits this machine."""
    environment = os.environ
    answers = wanted == "auto" and not environment.get("KUBECONFIG") and docker_answers()
    ours = {"local": paths.kubeconfig(), "kind": paths.cache / "kind.kubeconfig"}
    name = choose_provider(wanted, environment, answers, ours)
    if name == "existing":
        return ExistingCluster(environment.get("KUBECONFIG", ""), lambda: toolchain.ensure(["kubectl"])["kubectl"])
    if name == "kind":
        return KindCluster(lambda: toolchain.ensure(["kind"])["kind"], ours["kind"])
    return LocalCluster(paths, toolchain, progress)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = parser().parse_args(arguments)
    try:
        return _run(options)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    progress, paths = Progress(), Paths.from_environment()
    toolchain = Toolchain(paths.tools, progress.say)
    if options.command == "packages":
        ensure_packages(options.names, progress.say)
        return 0
    if options.command == "tool":
        print(toolchain.ensure([options.name])[options.name])
        return 0
    if options.command == "tools":
        toolchain.ensure(CLUSTER_TOOLS)
        return 0
    provider = make_provider(options.provider, paths, toolchain, progress)
    if options.command == "status":
        healthy, line = provider.status()
        print(line)
        return 0 if healthy else 1
    if options.command == "up":
        provider.up()
    elif options.command == "down":
        provider.down()
    elif options.command == "kubeconfig":
        print(provider.kubeconfig())
    elif options.command == "images":
        print("\n".join(provider.images()))
    else:
        for archive in options.archives:
            provider.load(archive)
    return 0
