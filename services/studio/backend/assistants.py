"""Assistants as objects of Kubernetes: found, created, deleted, and told which model to run."""

from sqlalchemy.ext.asyncio import AsyncEngine

from studio.backend import audit
from studio.backend.access import Caller, no_assistant
from studio.backend.content import drafts, starter
from studio.backend.content.drafts import Subject
from studio.backend.live import Live
from studio.backend.manifests import assistant_view, new_assistant
from studio.backend.models.assistants import Assistant, NewAssistant
from studio.contract import labels, names
from studio.http.problems import Refused
from studio.kube import ASSISTANT, AlreadyExists, Conflict, Invalid, Kube, Manifest

FIELD_MANAGER = "studio-backend"


class Assistants:
    """The Assistants of one Studio. Methods raise Refused."""

    def __init__(self, kube: Kube, live: Live, engine: AsyncEngine, *, studio: str, namespace: str) -> None:
        self._kube = kube
        self._live = live
        self._engine = engine
        self._studio = studio
        self._namespace = namespace

    def all(self, caller: Caller) -> list[Assistant]:
        """Those that the caller may see, by name."""
        if not self._live.assistants.listed.is_set():
            raise Refused(503, "the Assistants are not known yet: try again")
        found = self._live.assistants.objects
        return [assistant_view(found[name]) for name in sorted(found) if caller.scope.sees(name)]

    def known(self, name: str) -> Assistant | None:
        """One of them as the watch knows it."""
        found = self._live.assistants.objects.get(name)
        return assistant_view(found) if found else None

    async def one(self, name: str) -> Assistant:
        """One of them."""
        return assistant_view(await self._manifest(name))

    async def subject(self, name: str) -> Subject:
        """One of them as the owner of content."""
        manifest = await self._manifest(name)
        return Subject(manifest["metadata"]["uid"], name)

    async def editable(self, name: str) -> Subject:
        """One whose content is edited here."""
        manifest = await self._manifest(name)
        source = assistant_view(manifest).source
        if source != "studio":
            raise Refused(409, f"the content of {name} comes from spec.source.{source}: edit it there")
        return Subject(manifest["metadata"]["uid"], name)

    async def create(self, caller: Caller, wanted: NewAssistant) -> Assistant:
        """Create one, with a first draft if asked for."""
        if not caller.scope.sees(wanted.name):
            raise Refused(403, f"name: your account is restricted to other assistants than {wanted.name}")
        if conflict := names.conflict(wanted.name, self._studio):
            raise Refused(422, f"name: {conflict}")
        async with audit.recorded(self._engine, caller, wanted.name):
            try:
                made = await self._kube.create(
                    ASSISTANT, new_assistant(wanted, studio=self._studio, namespace=self._namespace)
                )
            except AlreadyExists as error:
                raise Refused(409, f"name: there is an assistant {wanted.name} already") from error
            except Invalid as error:
                raise Refused(422, f"the cluster refuses the assistant: {error.message}") from error
        if wanted.template == "starter":
            subject = Subject(made["metadata"]["uid"], wanted.name)
            await drafts.replace(self._engine, caller, subject, starter.files(wanted.language))
        return assistant_view(made)

    async def delete(self, caller: Caller, name: str) -> None:
        """Begin the deletion of one; what becomes of its data is said by its deletionPolicy."""
        manifest = await self._manifest(name)
        async with audit.recorded(self._engine, caller, name):
            await self._kube.delete(ASSISTANT, self._namespace, name, uid=manifest["metadata"]["uid"])

    async def choose_model(self, caller: Caller, name: str, version: str) -> None:
        """Say which model is to run: `latest` or a version. What somebody else has decided is not overruled."""
        manifest = await self._manifest(name)
        body = {
            "apiVersion": labels.API_VERSION,
            "kind": "Assistant",
            "metadata": {"name": name, "namespace": self._namespace, "uid": manifest["metadata"]["uid"]},
            "spec": {"running": {"model": version}},
        }
        async with audit.recorded(self._engine, caller, f"{name} model {version}"):
            try:
                await self._kube.apply(body, field_manager=FIELD_MANAGER, force=False)
            except Conflict as error:
                if await self._kube.get(ASSISTANT, self._namespace, name) is None:
                    raise no_assistant(name) from error
                raise Refused(
                    409,
                    f"spec.running.model of {name} is set by somebody else, for instance GitOps: change it there, or "
                    f"remove it there to choose here ({error.message})",
                ) from error
            except Invalid as error:
                raise Refused(422, f"the cluster refuses the model: {error.message}") from error

    async def _manifest(self, name: str) -> Manifest:
        found = await self._live.assistants.find(name)
        if found is None:
            raise no_assistant(name)
        return found
