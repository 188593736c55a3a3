"""Reads the content of an Assistant and keeps the last verdict, so that an unchanged source costs no parsing.

Only the verdict is kept, not the content: the files of all assistants together would not fit into the operator.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from studio.contract import names
from studio.kube import CONFIGMAP
from studio_operator.api.v1alpha1.assistant import AssistantSpec
from studio_operator.planning.content import Content, ContentProblem, from_config_maps, prepare
from studio_operator.ports import Cluster

KEEP = 4096


@dataclass(frozen=True)
class Verdict:
    """What is known of content that can be trained."""

    fingerprint: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """Usable content as it was read in one pass."""

    verdict: Verdict
    _files: Mapping[str, str]
    _assistant_id: str
    _language: str
    _engine_image: str

    async def archive(self) -> bytes:
        """The bytes that `verdict.fingerprint` stands for."""
        return await asyncio.to_thread(self._archive)

    def _archive(self) -> bytes:
        return _prepared(self._files, self._assistant_id, self._language, self._engine_image).archive()


class ContentReader:
    """Sources `files` and `configMaps`; ConfigMaps are read by name, in the Assistant's own namespace only."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._verdicts: dict[tuple[str, str], tuple[str, Verdict | ContentProblem]] = {}

    async def read(self, namespace: str, name: str, spec: AssistantSpec, engine_image: str) -> Reading:
        """The content as it is now. Raises ContentProblem."""
        files = await self._files(namespace, spec)
        raw = hashlib.sha256(json.dumps([files, spec.language, engine_image], sort_keys=True).encode()).hexdigest()
        assistant_id = names.assistant_id(namespace, name)
        kept = self._verdicts.get((namespace, name))
        if kept is None or kept[0] != raw:
            kept = (raw, await asyncio.to_thread(_verdict, files, assistant_id, spec.language, engine_image))
            self._remember((namespace, name), kept)
        if isinstance(kept[1], ContentProblem):
            raise kept[1].fresh()
        return Reading(kept[1], files, assistant_id, spec.language, engine_image)

    def forget(self, namespace: str, name: str) -> None:
        """Drop what is kept of a deleted Assistant."""
        self._verdicts.pop((namespace, name), None)

    def _remember(self, key: tuple[str, str], kept: tuple[str, Verdict | ContentProblem]) -> None:
        self._verdicts.pop(key, None)
        self._verdicts[key] = kept
        while len(self._verdicts) > KEEP:
            del self._verdicts[next(iter(self._verdicts))]

    async def _files(self, namespace: str, spec: AssistantSpec) -> Mapping[str, str]:
        source = spec.source
        if source.files is not None:
            return source.files
        wanted = [(ref.name, [(item.key, item.path) for item in ref.items or []]) for ref in source.config_maps or []]
        found: dict[str, Mapping[str, str] | None] = {}
        for name, _ in wanted:
            live = await self._cluster.get(CONFIGMAP, namespace, name)
            found[name] = None if live is None else live.get("data") or {}
        return from_config_maps(wanted, found)


def _verdict(files: Mapping[str, str], assistant_id: str, language: str, engine_image: str) -> Verdict | ContentProblem:
    try:
        content = _prepared(files, assistant_id, language, engine_image)
    except ContentProblem as problem:
        return problem.fresh()
    return Verdict(content.fingerprint, content.warnings)


def _prepared(files: Mapping[str, str], assistant_id: str, language: str, engine_image: str) -> Content:
    return prepare(files, assistant_id=assistant_id, language=language, engine_image=engine_image)
