"""Writes the CRDs and the API reference from the models: `python -m studio_operator.api.crdgen [--check]`.

With `--check` nothing is written, and the exit code is 1 if a file is not what it would be.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from studio.contract import names
from studio.contract.labels import GROUP, VERSION
from studio_operator.api import reference
from studio_operator.api.structural import Schema, structural
from studio_operator.api.v1alpha1.assistant import AssistantSpec
from studio_operator.api.v1alpha1.common import Model
from studio_operator.api.v1alpha1.status import AssistantStatus, StudioStatus
from studio_operator.api.v1alpha1.studio import StudioSpec

ROOT = Path(__file__).resolve().parents[3]
_HEADER = "# Generated from operator/studio_operator/api by `make generate`; do not edit.\n"


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; `wide` ones need `-o wide`."""

    name: str
    path: str
    description: str
    type: str = "string"
    wide: bool = False

    def manifest(self) -> dict[str, Any]:
        """The entry under additionalPrinterColumns."""
        column = {"name": self.name, "type": self.type, "jsonPath": self.path, "description": self.description}
        return column | ({"priority": 1} if self.wide else {})


@dataclass(frozen=True)
class Definition:
    """All that makes one custom resource."""

    kind: str
    short_name: str
    description: str
    spec: type[Model]
    status: type[Model]
    spec_required: bool
    columns: tuple[Column, ...]

    @property
    def plural(self) -> str:
        """The name of the resource in URLs."""
        return f"{self.kind.lower()}s"


_READY = Column("Ready", ".status.conditions[?(@.type=='Ready')].status", "Whether everything is as wanted")
_REASON = Column("Reason", ".status.conditions[?(@.type=='Ready')].reason", "Why it is ready or not")
_MESSAGE = Column("Message", ".status.conditions[?(@.type=='Ready')].message", "Why, in words", wide=True)
_AGE = Column("Age", ".metadata.creationTimestamp", "Time since creation", type="date")

DEFINITIONS = (
    Definition(
        kind="Assistant",
        short_name="asst",
        description="A conversational assistant: its content, and how it is trained and run.",
        spec=AssistantSpec,
        status=AssistantStatus,
        spec_required=True,
        columns=(
            _READY,
            _REASON,
            Column("Model", ".status.model.version", "Model that answers, or else the one that is there"),
            Column("Training", ".status.training.state", "State of the newest training"),
            _AGE,
            _MESSAGE,
            Column("Studio", ".status.studio", "Studio it is part of", wide=True),
        ),
    ),
    Definition(
        kind="Studio",
        short_name="std",
        description="The platform of a namespace that its assistants share: stores, model service, and their settings.",
        spec=StudioSpec,
        status=StudioStatus,
        spec_required=False,
        columns=(
            _READY,
            _REASON,
            Column("URL", ".status.url", "Where people reach it"),
            Column("Version", ".status.version", "Version that is rolled out"),
            Column("Assistants", ".status.assistants", "Assistants of this Studio", type="integer"),
            Column("Slots", ".status.runningSlots", "Running consumers", type="integer"),
            _AGE,
            _MESSAGE,
        ),
    ),
)


def definition_manifest(definition: Definition) -> dict[str, Any]:
    """The CustomResourceDefinition."""
    plural = definition.plural
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "studio-operator"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": definition.kind,
                "listKind": f"{definition.kind}List",
                "plural": plural,
                "singular": definition.kind.lower(),
                "shortNames": [definition.short_name],
                # Not "studio": a category wins over a name, and `kubectl get studio <name>` would be refused.
                "categories": ["studio-operator"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [column.manifest() for column in definition.columns],
                    "schema": {"openAPIV3Schema": root_schema(definition)},
                }
            ],
        },
    }


def root_schema(definition: Definition) -> Schema:
    """The structural schema of the whole object."""
    properties: Schema = {
        "apiVersion": {"type": "string", "description": "Version of the schema of this object."},
        "kind": {"type": "string", "description": "Kind of this object."},
        # The API server describes it itself, and accepts nothing but the type here.
        "metadata": {"type": "object"},
    }
    spec = structural(definition.spec)
    if not definition.spec_required:
        # Server-side apply leaves null where it removes the last field that its manager owned.
        spec["nullable"] = True
    return {
        "type": "object",
        "description": definition.description,
        "properties": properties | {"spec": spec, "status": structural(definition.status)},
        **({"required": ["spec"]} if definition.spec_required else {}),
        "x-kubernetes-validations": [
            {
                "rule": f"self.metadata.name.matches('{names.NAME_PATTERN}')",
                "message": "the name must be lower-case letters, digits and '-', beginning with a letter",
            },
            {
                "rule": f"size(self.metadata.name) <= {names.NAME_MAX}",
                "message": f"the name must have at most {names.NAME_MAX} characters",
            },
        ],
    }


def files() -> dict[Path, str]:
    """Every generated file, relative to the root of the repository, and its text."""
    texts = {Path("crds") / f"{it.plural}.yaml": _HEADER + _yaml(definition_manifest(it)) for it in DEFINITIONS}
    pages = [(definition.kind, root_schema(definition)) for definition in DEFINITIONS]
    texts[Path("docs") / "api-reference.md"] = reference.page(f"{GROUP}/{VERSION}", pages)
    return texts


class _Dumper(yaml.SafeDumper):
    """Writes a value that occurs twice twice: anchors are no help to a reader."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _yaml(manifest: dict[str, Any]) -> str:
    return yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


def main(arguments: list[str] | None = None) -> int:
    """Write or check the generated files; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m studio_operator.api.crdgen", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; fail if a file would change")
    options = parser.parse_args(arguments)
    stale = [path for path, text in files().items() if not _same(ROOT / path, text)]
    if options.check:
        for path in stale:
            sys.stderr.write(f"{path} is not up to date: run make generate\n")
        return 1 if stale else 0
    for path in stale:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(files()[path])
    return 0


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    raise SystemExit(main())
