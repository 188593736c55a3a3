"""Reads the content of an Assistant and keeps the last verdict, so that an unchanged source costs no parsing.

Only the verdict is kept, not the content: the files of all assistants together would not fit into the operator.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from studio.contract import names
from studio.kube import CONFIGMAP
from studio_operator.api.v1alpha1.assistant import AssistantSpec
from studio_operator.planning.content import Content, ContentProblem, from_config_maps, prepare
from studio_operator.planning.duckling import without_server
from studio_operator.ports import Cluster, Contents, ModelServiceError, Refused

KEEP = 4096

Load = Callable[[], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True)
class Verdict:
    """What is known of content that can be trained."""

    fingerprint: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Publication:
    """Which of an Assistant's publications counts: `revision` is None before the first one."""

    studio: str
    uid: str
    revision: str | None


@dataclass(frozen=True)
class Reading:
    """Usable content as it was read in one pass."""

    verdict: Verdict
    _load: Load
    _assistant_id: str
    _language: str
    _engine_image: str

    async def archive(self) -> bytes:
        """The bytes that `verdict.fingerprint` stands for. Raises ModelServiceError."""
        return await asyncio.to_thread(self._archive, await self._load())

    def _archive(self, files: Mapping[str, str]) -> bytes:
        return _prepared(files, self._assistant_id, self._language, self._engine_image).archive()


class ContentReader:
    """Sources `files`, `configMaps` and `studio`; ConfigMaps are read by name, in the Assistant's own namespace only.

    What was published never changes, so it is fetched when it is news, and when it is handed over.
    """

    def __init__(self, cluster: Cluster, contents: Contents) -> None:
        self._cluster = cluster
        self._contents = contents
        self._verdicts: dict[tuple[str, str], tuple[str, Verdict | ContentProblem]] = {}

    async def read(
        self, namespace: str, name: str, spec: AssistantSpec, engine_image: str, publication: Publication
    ) -> Reading:
        """The content as it is now. Raises ContentProblem."""
        identity, load = await self._source(namespace, name, spec, publication)
        variables = sorted(variable.name for variable in spec.engine.env)
        told = [identity, spec.language, engine_image, variables]
        raw = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        assistant_id = names.assistant_id(namespace, name)
        kept = self._verdicts.get((namespace, name))
        if kept is None or kept[0] != raw:
            files = await _loaded(load)
            verdict = await asyncio.to_thread(_verdict, files, assistant_id, spec.language, engine_image, variables)
            kept = (raw, verdict)
            self._remember((namespace, name), kept)
        if isinstance(kept[1], ContentProblem):
            raise kept[1].fresh()
        return Reading(kept[1], load, assistant_id, spec.language, engine_image)

    def forget(self, namespace: str, name: str) -> None:
        """Drop what is kept of a deleted Assistant."""
        self._verdicts.pop((namespace, name), None)

    def _remember(self, key: tuple[str, str], kept: tuple[str, Verdict | ContentProblem]) -> None:
        self._verdicts.pop(key, None)
        self._verdicts[key] = kept
        while len(self._verdicts) > KEEP:
            del self._verdicts[next(iter(self._verdicts))]

    async def _source(
        self, namespace: str, name: str, spec: AssistantSpec, publication: Publication
    ) -> tuple[object, Load]:
        """What changes whenever the content does, and how to get the content."""
        if spec.source.studio is None:
            files = await self._files(namespace, spec)
            return files, _constantly(files)
        revision = publication.revision
        if revision is None:
            raise ContentProblem(
                "NotPublished",
                "nothing was published yet: edit the content in the web client or push it with the command line, "
                "then publish it",
                waiting=True,
            )

        async def fetch() -> Mapping[str, str]:
            return await self._contents.published(namespace, publication.studio, name, revision)

        return [publication.uid, revision], fetch

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


def _constantly(files: Mapping[str, str]) -> Load:
    async def load() -> Mapping[str, str]:
        return files

    return load


async def _loaded(load: Load) -> Mapping[str, str]:
    try:
        return await load()
    except Refused as refusal:
        remedy = "publish the content again"
        raise ContentProblem("NotPublished", f"the back end: {refusal}: {remedy}", waiting=True) from refusal
    except ModelServiceError as error:
        raise ContentProblem("BackendUnavailable", str(error), waiting=True) from error


def _verdict(
    files: Mapping[str, str], assistant_id: str, language: str, engine_image: str, variables: Sequence[str]
) -> Verdict | ContentProblem:
    try:
        content = _prepared(files, assistant_id, language, engine_image)
    except ContentProblem as problem:
        return problem.fresh()
    return Verdict(content.fingerprint, (*content.warnings, *without_server(content.files["config.yml"], variables)))


def _prepared(files: Mapping[str, str], assistant_id: str, language: str, engine_image: str) -> Content:
    return prepare(files, assistant_id=assistant_id, language=language, engine_image=engine_image)
