"""From what a source holds to the exact bytes that are trained, and the fingerprint that names them."""

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from studio.contract.content import CREDENTIALS, ENDPOINTS, is_trained
from studio_operator.api.v1alpha1.patterns import FILE_PATH
from studio_operator.planning import yaml_text

# A ConfigMap holds 1 MiB; eight of them are a large assistant, and more belongs into Git or the Studio's own editor.
MAX_BYTES = 8 * 1024 * 1024
MAX_FILES = 500
MAX_PATH = 250

_INSTEAD = {
    ENDPOINTS: "set spec.actions for the action server, the Studio brings the stores",
    CREDENTIALS: "put it into a Secret and name it in spec.channels.credentialsSecretRef",
}


class ContentProblem(Exception):
    """The content cannot be used: `reason` for the condition, `waiting` when it may heal without a new spec."""

    def __init__(self, reason: str, message: str, *, waiting: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.waiting = waiting

    def fresh(self) -> "ContentProblem":
        """The same problem without a traceback: one that is kept must not keep alive the frames it went through."""
        return ContentProblem(self.reason, str(self), waiting=self.waiting)


@dataclass(frozen=True)
class Content:
    """Files by path, ready to train: `config.yml` carries the assistant's id and language."""

    files: Mapping[str, str]
    fingerprint: str
    warnings: tuple[str, ...] = ()

    def archive(self) -> bytes:
        """A tar.gz of the files; the same files give the same bytes, on any machine at any time."""
        packed = io.BytesIO()
        with (
            gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=0) as compressed,
            tarfile.open(fileobj=compressed, mode="w", format=tarfile.GNU_FORMAT) as archive,
        ):
            for name in sorted(self.files):
                data = self.files[name].encode()
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                entry.mode = 0o644
                archive.addfile(entry, io.BytesIO(data))
        return packed.getvalue()


def prepare(files: Mapping[str, str], *, assistant_id: str, language: str, engine_image: str) -> Content:
    """Check the files, merge id and language into config.yml, take the fingerprint.

    The fingerprint covers everything a model depends on, the engine image included. Without an `assistant_id` the
    engine would write a random one into the file and every training would look new.
    Raises ContentProblem naming the file and the remedy.
    """
    _check_names(files)
    _check_size(files)
    warnings = tuple(_warnings(files))
    usable = {name: text for name, text in files.items() if name not in ENDPOINTS | CREDENTIALS}
    usable["config.yml"] = _merged_config(usable, assistant_id=assistant_id, language=language)
    _check_readable(usable)
    return Content(usable, _fingerprint(usable, engine_image), warnings)


def from_config_maps(
    wanted: list[tuple[str, list[tuple[str, str]]]], found: Mapping[str, Mapping[str, str] | None]
) -> dict[str, str]:
    """Flatten ConfigMaps: `wanted` is [(name, [(key, path), …])], no items meaning every key under its own name.

    Raises ContentProblem when a ConfigMap or key is missing (it may come) or two of them give the same file.
    """
    files: dict[str, str] = {}
    for name, items in wanted:
        data = found.get(name)
        if data is None:
            raise ContentProblem(
                "ConfigMapMissing",
                f"spec.source.configMaps names ConfigMap {name}, which does not exist in this namespace: create it",
                waiting=True,
            )
        for key, path in items or [(key, key) for key in sorted(data)]:
            if key not in data:
                raise ContentProblem(
                    "ConfigMapKeyMissing",
                    f"ConfigMap {name} has no key {key}: add it or correct the item",
                    waiting=True,
                )
            if path in files:
                raise ContentProblem("DuplicateFile", f"two ConfigMap items give the file {path}: rename one of them")
            files[path] = data[key]
    return files


def _check_names(files: Mapping[str, str]) -> None:
    if not files:
        raise ContentProblem(
            "EmptyContent", "the source holds no files: it needs config.yml, domain.yml and data", waiting=True
        )
    if len(files) > MAX_FILES:
        raise ContentProblem(
            "ContentTooLarge", f"the source holds {len(files)} files, at most {MAX_FILES} are allowed: merge some"
        )
    for name in files:
        if len(name) > MAX_PATH or not re.fullmatch(FILE_PATH.regex, name) or not name.endswith((".yml", ".yaml")):
            raise ContentProblem(
                "BadFileName", f"file {name[:MAX_PATH]!r}: rename it to end in .yml or .yaml; {FILE_PATH.advice}"
            )
        if folder := next((str(above) for above in PurePosixPath(name).parents if str(above) in files), None):
            raise ContentProblem("BadFileName", f"file {name!r}: {folder!r} is a file already: rename one of them")


def _check_size(files: Mapping[str, str]) -> None:
    size = sum(len(text.encode()) for text in files.values())
    if size > MAX_BYTES:
        raise ContentProblem(
            "ContentTooLarge",
            f"the source holds {size / 2**20:.1f} MiB, more than {MAX_BYTES // 2**20} MiB: split the assistant",
        )


def _warnings(files: Mapping[str, str]) -> list[str]:
    return [
        f"{name} is not used: {instead}" for names, instead in _INSTEAD.items() for name in sorted(names & files.keys())
    ]


def _merged_config(files: Mapping[str, str], *, assistant_id: str, language: str) -> str:
    if "config.yml" not in files:
        raise ContentProblem(
            "ConfigMissing", "the source has no config.yml: add one with recipe, pipeline and policies", waiting=True
        )
    try:
        return yaml_text.with_entries(files["config.yml"], {"assistant_id": assistant_id, "language": language})
    except yaml_text.Unreadable as error:
        raise _unreadable("config.yml", error) from error


def _check_readable(files: Mapping[str, str]) -> None:
    """Whether a file means anything to an engine, the engine says later, in its own words."""
    for name in sorted(files):
        try:
            yaml_text.check(files[name])
        except yaml_text.Unreadable as error:
            raise _unreadable(name, error) from error


def _unreadable(name: str, error: yaml_text.Unreadable) -> ContentProblem:
    return ContentProblem("UnreadableContent", f"{name} is not usable YAML: {error}; correct the file")


def _fingerprint(files: Mapping[str, str], engine_image: str) -> str:
    trained = {name: text for name, text in files.items() if is_trained(name)}
    return hashlib.sha256(json.dumps([engine_image, trained], sort_keys=True).encode()).hexdigest()
