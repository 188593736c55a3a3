"""What the back end keeps in order behind the requests; level-triggered, so that it may die at any moment."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from studio.backend.content.publications import Publications
from studio.backend.live import Live
from studio.kube import Manifest

log = structlog.get_logger(__name__)

ANNOUNCE_SECONDS = 10.0


async def announce(publications: Publications, *, seconds: float = ANNOUNCE_SECONDS) -> None:
    """Announce what was published by a process that died, or while the cluster was away; for ever."""
    while True:
        try:
            await publications.announce_pending()
        except (SQLAlchemyError, OSError) as error:
            log.warning("publications cannot be announced now, trying again", error=str(error))
        await asyncio.sleep(seconds)


async def forget_deleted(live: Live, publications: Publications) -> None:
    """Delete the content of assistants that are deleted with their data, while they can still be seen; for ever."""
    never = asyncio.Event()
    with live.changes.subscribe() as subscription:
        names = list(live.assistants.objects)
        while True:
            for name in names:
                manifest = live.assistants.objects.get(name)
                if manifest is not None and goes_with_its_data(manifest):
                    await publications.forget(manifest["metadata"]["uid"])
            names = await subscription.wait(3600, never)


def goes_with_its_data(manifest: Manifest) -> bool:
    """Whether an Assistant is being deleted, and its data with it. Pure."""
    deleting = "deletionTimestamp" in manifest["metadata"]
    return deleting and (manifest.get("spec") or {}).get("deletionPolicy") == "Delete"
