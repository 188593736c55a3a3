"""The command line: ``python -m cluster <command>``."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
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
        ("check", "say what keeps the cluster from being started here, if anything"),
        ("up", "start the cluster, or repair it"),
        ("down", "remove the cluster; built tools and images stay"),
        ("status", "say whether the cluster is healthy; exit status 1 when it is not"),
        ("provider", "print where the cluster runs: local, kind or existing"),
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


def provider_name(wanted: str, paths: Paths) -> str:
    """The provider that the user wants or that fits this machine."""
    answers = wanted == "auto" and not os.environ.get("KUBECONFIG") and docker_answers()
    return choose_provider(wanted, os.environ, answers, _kubeconfigs(paths))


def _kubeconfigs(paths: Paths) -> dict[str, Path]:
    return {"local": paths.kubeconfig(), "kind": paths.cache / "kind.kubeconfig"}


def make_provider(name: str, paths: Paths, toolchain: Toolchain, progress: Progress) -> Provider:
    """Make a provider of PROVIDERS."""
    if name == "existing":
        return ExistingCluster(os.environ.get("KUBECONFIG", ""), partial(toolchain.find, "kubectl"))
    if name == "kind":
        return KindCluster(partial(toolchain.find, "kind"), _kubeconfigs(paths)["kind"])
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
    match options.command:
        case "packages":
            ensure_packages(options.names, progress.say)
        case "tool":
            print(toolchain.ensure([options.name])[options.name])
        case "tools":
            toolchain.ensure(CLUSTER_TOOLS)
        case "provider":
            print(provider_name(options.provider, paths))
        case _:
            name = provider_name(options.provider, paths)
            return _ask(make_provider(name, paths, toolchain, progress), options)
    return 0


def _ask(provider: Provider, options: argparse.Namespace) -> int:
    match options.command:
        case "status":
            healthy, line = provider.status()
            print(line)
            return 0 if healthy else 1
        case "check":
            provider.check()
        case "up":
            provider.up()
        case "down":
            provider.down()
        case "kubeconfig":
            print(provider.kubeconfig())
        case "images":
            print("\n".join(provider.images()))
        case "load":
            for archive in options.archives:
                provider.load(archive)
    return 0
