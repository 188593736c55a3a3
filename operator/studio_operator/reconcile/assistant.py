"""One pass over an Assistant: its Studio, its content, its action server, then what the orchestrators make of it."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import structlog

from studio.contract import labels, names
from studio.contract.model_service import DesiredTraining, ObservedRunning, ObservedTraining, RunState
from studio.kube import ASSISTANT, DEPLOYMENT, SERVICE, STUDIO, Manifest
from studio.kube.errors import AlreadyExists, Forbidden, Invalid
from studio_operator.api.v1alpha1.assistant import Assistant, parse_assistant, unsupported
from studio_operator.api.v1alpha1.common import InvalidSpec
from studio_operator.api.v1alpha1.studio import parse_studio
from studio_operator.components import actions
from studio_operator.components.context import AssistantContext
from studio_operator.components.secrets import referenced_by_assistant
from studio_operator.components.talk import talk_routes
from studio_operator.planning.content import ContentProblem
from studio_operator.planning.membership import DEFAULT_STUDIO, names_a_studio, studio_of
from studio_operator.ports import Clock, Cluster, ModelService, ModelServiceError, Recorder, Refused, Unreachable
from studio_operator.reconcile import desired, observed, secrets
from studio_operator.reconcile.apply import Conflict, Vanishing, apply_all, prune
from studio_operator.reconcile.content import ContentReader, Publication, Reading
from studio_operator.reconcile.finalize import (
    ensure_finalizer,
    finalize,
    let_go,
    never_served,
    remove_model_service_objects,
)
from studio_operator.reconcile.pacing import Pacing
from studio_operator.reconcile.report import report
from studio_operator.reconcile.settings import Settings
from studio_operator.status.assistant import AssistantFacts, Problem, assistant_status, only_position_moved
from studio_operator.status.studio import missing_part

log = structlog.get_logger(__name__)

# The change stream wakes us; these are for the time in which it is down or something outside is awaited.
WHILE_CHANGING = 10.0
WHILE_UNREACHABLE = 3.0
SOON = 1.0


@dataclass(frozen=True)
class AssistantPass:
    """Observe, decide, apply, report for one Assistant."""

    _cluster: Cluster
    _model_service: ModelService
    _recorder: Recorder
    _clock: Clock
    _settings: Settings
    _content: ContentReader
    _pacing: Pacing

    async def run(self, namespace: str, name: str) -> float | None:
        """One pass; None when there is nothing to do until something changes."""
        resource = self._cluster.cached(ASSISTANT, namespace, name)
        if resource is None:
            self._content.forget(namespace, name)
            self._pacing.forget((namespace, name))
            return None
        if "deletionTimestamp" in resource["metadata"]:
            return await finalize(self._cluster, self._model_service, resource)
        if not await ensure_finalizer(self._cluster, resource):
            return SOON
        facts, again = await self._pursue(resource)
        if facts.running is None and await let_go(self._cluster, namespace, [name]):
            return None
        held_back = await self._report(resource, facts)
        return min((seconds for seconds in (again, held_back) if seconds is not None), default=None)

    async def _pursue(self, resource: Manifest) -> tuple[AssistantFacts, float | None]:
        """Go as far as the steps allow."""
        metadata = resource["metadata"]
        facts = AssistantFacts(metadata["name"], metadata["namespace"], metadata["generation"], studio_of(resource))
        try:
            assistant = self._parsed(resource)
        except InvalidSpec as error:
            return _with(facts, spec_problem=Problem("InvalidSpec", str(error))), None
        if assistant.spec.paused:
            return _with(facts, paused=True), await self._pause(resource, assistant)
        facts = _with(facts, mode=assistant.spec.running.mode, trigger=assistant.spec.training.trigger)
        studio, problem = await self._studio(resource)
        if studio is None:
            facts = _with(facts, studio_problem=problem, stopped=await self._stop_if_studio_is_gone(resource))
            return facts, WHILE_CHANGING if problem and problem.waiting else None
        missing = None if problem else missing_part(studio.get("status", {}))
        part = Problem("StudioNotReady", f"Studio {studio['metadata']['name']}: {missing}", waiting=True)
        exposed = any("rest" in route.channels for route in talk_routes([resource]))
        facts = _with(
            facts,
            studio_problem=problem,
            part_missing=part if missing else None,
            public_url=studio.get("status", {}).get("url") if exposed else None,
        )
        return await self._pursue_in(studio, resource, assistant, facts)

    async def _pause(self, resource: Manifest, assistant: Assistant) -> float | None:
        """Let the orchestrators start nothing more of what they were asked for before; returns when to try again."""
        metadata = resource["metadata"]
        studio = self._cluster.cached(STUDIO, metadata["namespace"], studio_of(resource))
        if studio is None or "deletionTimestamp" in studio["metadata"] or never_served(self._cluster, studio):
            return None
        fingerprint = resource.get("status", {}).get("fingerprint")
        try:
            context = self._context(studio, resource, assistant)
            await self._model_service.put_training(desired.training(context, fingerprint))
            await self._model_service.put_running(desired.running(context, fingerprint))
        except (InvalidSpec, ModelServiceError) as error:
            log.warning("pause not passed on", namespace=metadata["namespace"], name=metadata["name"], why=str(error))
            return WHILE_UNREACHABLE if isinstance(error, Unreachable) else WHILE_CHANGING
        return None

    async def _stop_if_studio_is_gone(self, resource: Manifest) -> bool:
        """Nobody else is left to remove what its consumers made; looked up live, since much is at stake."""
        namespace = resource["metadata"]["namespace"]
        if await self._cluster.get(STUDIO, namespace, studio_of(resource)) is not None:
            return False
        await remove_model_service_objects(self._cluster, resource)
        return True

    def _parsed(self, resource: Manifest) -> Assistant:
        assistant = parse_assistant(resource)
        problems = unsupported(assistant.spec)
        if problems:
            raise InvalidSpec(problems)
        self._refuse_name_of_a_part(resource)
        return assistant

    def _refuse_name_of_a_part(self, resource: Manifest) -> None:
        """The Service of an Assistant must stay clear of the children of every Studio of its namespace."""
        metadata = resource["metadata"]
        studios = {studio["metadata"]["name"] for studio in self._cluster.select(STUDIO, metadata["namespace"])}
        for studio in sorted(studios | {studio_of(resource)}):
            if conflict := names.conflict(metadata["name"], studio):
                raise InvalidSpec.single("metadata.name", conflict)

    async def _studio(self, resource: Manifest) -> tuple[Manifest | None, Problem | None]:
        """The Assistant's Studio, made if none was named; with a problem while it does not serve."""
        namespace, name = resource["metadata"]["namespace"], studio_of(resource)
        live = self._cluster.cached(STUDIO, namespace, name)
        if live is None and not names_a_studio(resource) and self._settings.auto_create_studio:
            return None, await self._create_studio(namespace)
        if live is None:
            message = f"spec.studioRef.name: there is no Studio {name} in this namespace: create it or correct the name"
            return None, Problem("StudioNotFound", message)
        if "deletionTimestamp" in live["metadata"]:
            return None, Problem("StudioDeleting", f"Studio {name} is being deleted", waiting=True)
        conditions = {c["type"]: c for c in live.get("status", {}).get("conditions", [])}
        available = conditions.get("Available", {})
        if available.get("status") == "True":
            return live, None
        ready = conditions.get("Ready", {})
        why = ready.get("message") or available.get("message") or "it was not looked at yet"
        return live, Problem("StudioNotReady", f"Studio {name}: {why}", waiting=True)

    async def _create_studio(self, namespace: str) -> Problem:
        body = {
            "apiVersion": labels.API_VERSION,
            "kind": "Studio",
            "metadata": {"name": DEFAULT_STUDIO, "namespace": namespace},
            "spec": {},
        }
        try:
            await self._cluster.create(body)
        except AlreadyExists:
            log.debug("studio exists already", namespace=namespace)
        except Forbidden as error:
            # A terminating namespace takes nothing new; anything else the person must see.
            return Problem("StudioNotCreated", f"Studio {DEFAULT_STUDIO} could not be created: {error}", waiting=True)
        return Problem("StudioCreating", f"Studio {DEFAULT_STUDIO} was just created", waiting=True)

    async def _pursue_in(
        self, studio: Manifest, resource: Manifest, assistant: Assistant, facts: AssistantFacts
    ) -> tuple[AssistantFacts, float | None]:
        try:
            context = self._context(studio, resource, assistant)
        except InvalidSpec as error:
            message = f"Studio {studio['metadata']['name']}: {error}"
            return _with(facts, studio_problem=Problem("StudioNotReady", message, waiting=True)), WHILE_CHANGING
        try:
            digests = await secrets.check(self._cluster, context.namespace, referenced_by_assistant(context.spec))
        except secrets.SecretProblem as error:
            return _with(facts, spec_problem=Problem(error.reason, str(error), waiting=True)), WHILE_CHANGING
        context = replace(context, secret_digests=digests)
        facts, again = await self._with_children(resource, context, facts)
        if again is not None:
            return facts, again
        content, facts = await self._with_content(context, resource, facts)
        if facts.studio_problem:
            return facts, WHILE_CHANGING
        return await self._pursue_with(context, content, facts)

    async def _with_children(
        self, resource: Manifest, context: AssistantContext, facts: AssistantFacts
    ) -> tuple[AssistantFacts, float | None]:
        """The objects that are the operator's own to write; with a time to look again when the pass ends here."""
        try:
            await self._refuse_foreign_service(context)
            return await self._with_actions(resource, context, facts), None
        except Conflict as conflict:
            problem = Problem("Conflict", str(conflict))
        except (Forbidden, Invalid) as refusal:
            message = f"the API server refused an object of this Assistant: {refusal.message}"
            problem = Problem("ApplyRefused", message)
        except Vanishing:
            return facts, SOON
        return _with(facts, spec_problem=problem), WHILE_CHANGING

    async def _pursue_with(
        self, context: AssistantContext, content: Reading | None, facts: AssistantFacts
    ) -> tuple[AssistantFacts, float | None]:
        try:
            facts = await self._with_model_service(context, content, facts)
        except Refused as refusal:
            message = f"the model service refused: {refusal}"
            return _with(facts, unreachable=Problem("ModelServiceRefused", message)), WHILE_CHANGING
        except ModelServiceError as error:
            return _with(facts, unreachable=Problem("ModelServiceUnreachable", str(error))), WHILE_UNREACHABLE
        return facts, None if _settled(facts) else WHILE_CHANGING

    def _context(self, studio: Manifest, resource: Manifest, assistant: Assistant) -> AssistantContext:
        metadata, wanted = resource["metadata"], parse_studio(studio).spec
        return AssistantContext(
            name=metadata["name"],
            namespace=metadata["namespace"],
            uid=metadata["uid"],
            spec=assistant.spec,
            studio_name=studio["metadata"]["name"],
            version=self._settings.version,
            images=self._settings.images.overridden(wanted.images),
            finished_jobs=wanted.training.finished_jobs,
            warming=wanted.running.warming,
        )

    async def _refuse_foreign_service(self, context: AssistantContext) -> None:
        """The Service of the assistant is the orchestrator's to write, but the person hears of a conflict from us."""
        if self._cluster.cached(SERVICE, context.namespace, context.name) is not None:
            return
        live = await self._cluster.get(SERVICE, context.namespace, context.name)
        if live is not None and live["metadata"].get("labels", {}).get(labels.ASSISTANT) != context.name:
            raise Conflict({"kind": "Service", **live})

    async def _with_actions(
        self, resource: Manifest, context: AssistantContext, facts: AssistantFacts
    ) -> AssistantFacts:
        objects = actions.objects(context)
        await apply_all(self._cluster, resource, objects)
        await prune(self._cluster, resource, objects, (DEPLOYMENT, SERVICE))
        if not objects:
            return facts
        return _with(facts, actions=await observed.action_server(self._cluster, context))

    async def _with_content(
        self, context: AssistantContext, resource: Manifest, facts: AssistantFacts
    ) -> tuple[Reading | None, AssistantFacts]:
        engine_image = desired.training(context, None).engine.image
        revision = resource["metadata"].get("annotations", {}).get(labels.PUBLISHED)
        publication = Publication(context.studio_name, context.uid, revision)
        try:
            content = await self._content.read(context.namespace, context.name, context.spec, engine_image, publication)
        except ContentProblem as problem:
            return None, _with(facts, content_problem=Problem(problem.reason, str(problem), waiting=problem.waiting))
        return content, _with(facts, fingerprint=content.verdict.fingerprint, warnings=content.verdict.warnings)

    async def _with_model_service(
        self, context: AssistantContext, content: Reading | None, facts: AssistantFacts
    ) -> AssistantFacts:
        fingerprint = content.verdict.fingerprint if content else None
        wanted = desired.training(context, fingerprint)
        try:
            training = await self._wish_training(wanted, content)
        except ModelServiceError:
            # What answers people does not wait for what trains.
            await self._model_service.put_running(desired.running(context, fingerprint))
            raise
        running = await self._model_service.put_running(desired.running(context, fingerprint))
        return _with(facts, training=training, running=running)

    async def _wish_training(self, wanted: DesiredTraining, content: Reading | None) -> ObservedTraining:
        answer = await self._model_service.put_training(wanted)
        if not answer.needs_content or content is None:
            return answer
        archive = await content.archive()
        await self._model_service.put_content(wanted, archive, hashlib.sha256(archive).hexdigest())
        return await self._model_service.put_training(wanted)

    async def _report(self, resource: Manifest, facts: AssistantFacts) -> float | None:
        """Write the status; or the seconds to wait while it would tell nothing but another place in the queue."""
        before, now = resource.get("status", {}), self._clock.now()
        key = (resource["metadata"]["namespace"], resource["metadata"]["name"])
        if only_position_moved(facts, before=before, now=now) and (seconds := self._pacing.wait(key, now)):
            return seconds
        status = assistant_status(facts, before=before, now=now)
        if await report(self._cluster, self._recorder, ASSISTANT, resource, status):
            self._pacing.wrote(key, now)
        return None


def _settled(facts: AssistantFacts) -> bool:
    """Whether nothing is under way, and nothing awaited, that a lost event could hide."""
    if facts.training is None or facts.running is None or (facts.actions is not None and not facts.actions.ready):
        return False
    if facts.content_problem is not None and facts.content_problem.waiting:
        return False
    training = facts.training.training
    if facts.training.needs_content or (training is not None and not training.state.final):
        return False
    newest = facts.running.newest
    if newest is not None and newest.state is RunState.QUEUED:
        return False
    return facts.mode != "Always" or _run_settled(facts.running)


def _run_settled(running: ObservedRunning) -> bool:
    target, serving, newest = running.target, running.serving, running.newest
    if target is None:
        return True
    served = serving is not None and serving.state is RunState.READY and serving.model_version == target.version
    return served or (newest is not None and newest.state is RunState.FAILED)


def _with(facts: AssistantFacts, **changes: Any) -> AssistantFacts:
    return replace(facts, **changes)
