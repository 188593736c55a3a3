"""Renders what is made from the chart: manifests/ for kustomize, and the table of values in the chart's README.

`--check` tells whether they are up to date, without Helm: by a digest of the chart and of what was rendered from it.
"""

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from cluster.command import run
from cluster.paths import Paths
from cluster.toolchain import Toolchain
from stage.kubectl import REPOSITORY

CHART = REPOSITORY / "charts" / "studio-operator"
MANIFESTS = REPOSITORY / "manifests"
DIGEST = MANIFESTS / "rendered.sha256"
README = CHART / "README.md"

NAMESPACE = "studio-operator-system"
KUBERNETES = "1.29.0"
HEADER = "# Rendered from charts/studio-operator by `make generate`; do not edit.\n"
OVERLAYS = {"cluster-wide": (), "namespaced": ("--set", "watchNamespaces={default}")}
BINDING = "binding.yaml"
# What only a release of Helm has. The definitions are in crds/, where the overlays find them.
_OF_HELM = re.compile(r"^ *(app\.kubernetes\.io/(instance|managed-by)|helm\.sh/chart): .*\n", re.MULTILINE)
_SOURCE = re.compile(r"^# Source: studio-operator/templates/(?P<file>\S+)\n", re.MULTILINE)
_TABLE = re.compile(r"(?<=<!-- values -->\n).*(?=<!-- end of values -->)", re.DOTALL)
_KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z]+):")
_COMMENT = re.compile(r"^ *# -- (?P<text>.*)$")


def rendered(helm: Path) -> dict[Path, str]:
    """The text of every file of manifests/ that the chart makes. Raises CommandError with Helm's own words."""
    files = {MANIFESTS / "base" / name: text for name, text in template(helm).items() if name != BINDING}
    for overlay, options in OVERLAYS.items():
        files[MANIFESTS / "overlays" / overlay / BINDING] = template(helm, *options)[BINDING]
    return {path: HEADER + text for path, text in files.items()}


def template(helm: Path, *options: str) -> dict[str, str]:
    """The objects of the chart by the file of their template, without the labels of Helm."""
    where = ("--namespace", NAMESPACE, "--kube-version", KUBERNETES, "--set", "crds.install=false")
    _, *pieces = _SOURCE.split(run([helm, "template", "studio-operator", CHART, *where, *options]))
    files: dict[str, str] = {}
    for name, text in zip(pieces[::2], pieces[1::2], strict=True):
        body = _OF_HELM.sub("", text).removesuffix("---\n").strip("\n") + "\n"
        files[name] = f"{files[name]}---\n{body}" if name in files else body
    return files


def digest() -> str:
    """What the chart and its rendered files are now."""
    inputs = [CHART / "Chart.yaml", CHART / "values.yaml", *sorted((CHART / "templates").iterdir())]
    outputs = [path for path in sorted(MANIFESTS.rglob("*.yaml")) if path.read_text().startswith(HEADER)]
    made = hashlib.sha256()
    for path in [*inputs, *outputs]:
        content = path.read_bytes()
        made.update(f"{path.relative_to(REPOSITORY)}\0{len(content)}\0".encode())
        made.update(content)
    return made.hexdigest() + "\n"


def readme(old: str) -> str:
    """The README with the table of the values as they are now."""
    rows = [f"| `{path}` | `{json.dumps(default)}` | {text} |" for path, default, text in values()]
    table = "\n".join(["| value | default | meaning |", "|---|---|---|", *rows, ""])
    return _TABLE.sub(lambda _: table, old)


def values() -> Iterator[tuple[str, Any, str]]:
    """Path, default and meaning of every value that has a comment of the form `# -- …`."""
    text = (CHART / "values.yaml").read_text()
    tree, path, meaning = yaml.safe_load(text), list[str](), ""
    for line in text.splitlines():
        if comment := _COMMENT.match(line):
            meaning = comment["text"]
        elif key := _KEY.match(line):
            path = [*path[: len(key["indent"]) // 2], key["key"]]
            if meaning:
                yield ".".join(path), _at(tree, path), meaning
            meaning = ""


def _at(tree: Any, path: list[str]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def main() -> int:
    """Write what is stale, or with `--check` only say so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 when something is stale")
    check = parser.parse_args().check
    table = readme(README.read_text())
    stale = [README] * (table != README.read_text())
    stale += [DIGEST] * (not DIGEST.exists() or DIGEST.read_text() != digest())
    if check:
        for path in stale:
            print(f"{path.relative_to(REPOSITORY)} is out of date: run `make generate`", file=sys.stderr)
        return 1 if stale else 0
    README.write_text(table)
    if DIGEST in stale:
        helm = Toolchain(Paths.from_environment().tools, print).ensure(["helm"])["helm"]
        for path, text in rendered(helm).items():
            path.write_text(text)
        DIGEST.write_text(digest())
    return 0


if __name__ == "__main__":
    sys.exit(main())
