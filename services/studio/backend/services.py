"""All that the routes need, made once at start."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from studio.auth.oidc import OidcSettings
from studio.backend.assistants import Assistants
from studio.backend.chat import Chat
from studio.backend.content.publications import Publications
from studio.backend.conversations.store import Conversations
from studio.backend.downloads import Objects
from studio.backend.live import Live
from studio.backend.model_service import ModelService
from studio.backend.settings import ClientSettings
from studio.settings import ProcessSettings


@dataclass(frozen=True)
class Services:
    """What the routes call."""

    process: ProcessSettings
    oidc: OidcSettings
    clients: ClientSettings
    engine: AsyncEngine
    store: Objects
    live: Live
    assistants: Assistants
    publications: Publications
    model_service: ModelService
    chat: Chat
    conversations: Conversations
