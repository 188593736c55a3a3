"""Publications: immutable revisions, each announced by an annotation on its Assistant.

A revision is written first and announced after. Whoever dies in between leaves a row without `announced_at`, which is
announced later: the annotation never names what is not stored, and what is stored is always announced in the end.
"""

from typing import Any

import structlog
from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from studio.backend import audit, cursors
from studio.backend.access import Caller
from studio.backend.content import drafts, rules
from studio.backend.content.drafts import Subject
from studio.backend.models.common import Page
from studio.backend.models.content import ContentState, Draft, Published, PublishedContent, Revision
from studio.contract import labels
from studio.db.schema.back_end import content_revisions as revisions
from studio.db.schema.back_end import drafts as draft_rows
from studio.http.problems import Refused
from studio.kube import ASSISTANT, Kube, KubeError

log = structlog.get_logger(__name__)

_FACTS = (
    revisions.c.revision,
    revisions.c.sha256,
    revisions.c.published_at,
    revisions.c.published_by,
    revisions.c.message,
)


class Publications:
    """Draft and revisions of the assistants of one namespace."""

    def __init__(self, engine: AsyncEngine, kube: Kube, *, namespace: str) -> None:
        self._engine = engine
        self._kube = kube
        self._namespace = namespace

    async def state(self, subject: Subject) -> ContentState:
        """The draft, and what was published last."""
        async with self._engine.connect() as conn:
            files = await drafts.files(conn, subject.uid)
            newest = await _newest(conn, subject.uid)
            digest = rules.digest(await drafts.texts(conn, subject.uid)) if newest else None
        changed = digest != newest.sha256 if newest else bool(files)
        return ContentState(
            draft=Draft(files=files, changed=changed), published=_revision(newest) if newest else None
        )  # fmt: skip

    async def publish(self, caller: Caller, subject: Subject, message: str) -> Published:
        """Make a revision of the draft and announce it. Raises Refused with 409 when there is nothing to publish."""
        async with self._engine.begin() as conn:
            await drafts.lock(conn, subject.uid)
            files = await drafts.texts(conn, subject.uid)
            rules.check_publishable(files)
            newest = await _newest(conn, subject.uid)
            digest = rules.digest(files)
            if newest is not None and newest.sha256 == digest:
                raise Refused(409, f"nothing has changed since revision {newest.revision} was published")
            number = newest.revision + 1 if newest else 1
            await conn.execute(
                insert(revisions).values(
                    assistant_uid=subject.uid, assistant=subject.name, revision=number, sha256=digest, files=files,
                    published_by=caller.person.username, message=message,
                )
            )  # fmt: skip
            await audit.record(conn, caller, f"{subject.name} revision {number}")
        try:
            await self._announce(subject, number)
        except KubeError as error:
            log.warning("a revision is announced later", assistant=subject.name, revision=number, error=str(error))
        return Published(revision=number, sha256=digest)

    async def announce_pending(self) -> None:
        """Announce what was published and not announced; of several revisions only the newest counts."""
        query = (
            select(revisions.c.assistant_uid, revisions.c.assistant, func.max(revisions.c.revision).label("revision"))
            .where(revisions.c.announced_at.is_(None))
            .group_by(revisions.c.assistant_uid, revisions.c.assistant)
        )
        async with self._engine.connect() as conn:
            pending = (await conn.execute(query)).all()
        for row in pending:
            try:
                await self._announce(Subject(row.assistant_uid, row.assistant), row.revision)
            except KubeError as error:
                log.warning("a revision is announced later", assistant=row.assistant, error=str(error))

    async def revision(self, subject: Subject, number: int | None) -> PublishedContent:
        """The files of a revision, the newest without a number. Raises Refused."""
        query = select(revisions.c.revision, revisions.c.files).where(revisions.c.assistant_uid == subject.uid)
        if number is None:
            query = query.order_by(revisions.c.revision.desc()).limit(1)
        else:
            query = query.where(revisions.c.revision == number)
        async with self._engine.connect() as conn:
            row = (await conn.execute(query)).one_or_none()
        if row is None:
            which = f"no revision {number}" if number else "nothing published"
            raise Refused(404, f"{subject.name} has {which}")
        return PublishedContent(revision=row.revision, files=row.files)

    async def history(self, subject: Subject, *, limit: int, cursor: str | None) -> Page[Revision]:
        """All revisions, newest first."""
        query = select(*_FACTS).where(revisions.c.assistant_uid == subject.uid)
        if cursor:
            query = query.where(revisions.c.revision < cursors.at_number(cursor))
        async with self._engine.connect() as conn:
            rows = (await conn.execute(query.order_by(revisions.c.revision.desc()).limit(limit + 1))).all()
        items = [_revision(row) for row in rows]
        return cursors.page(items, limit, lambda last: (last.revision,))

    async def forget(self, uid: str) -> None:
        """Delete all content of an assistant that is deleted together with its data."""
        async with self._engine.begin() as conn:
            await drafts.lock(conn, uid)
            await conn.execute(delete(draft_rows).where(draft_rows.c.assistant_uid == uid))
            await conn.execute(delete(revisions).where(revisions.c.assistant_uid == uid))

    async def _announce(self, subject: Subject, number: int) -> None:
        """Write the number on the Assistant, then note that it stands there. One that is gone needs none."""
        found = await self._kube.get(ASSISTANT, self._namespace, subject.name)
        if found is not None and found["metadata"]["uid"] == subject.uid:
            # With the uid, so that a successor of the same name is not told: it has content of its own.
            patch = {"metadata": {"uid": subject.uid, "annotations": {labels.PUBLISHED: str(number)}}}
            await self._kube.patch(ASSISTANT, self._namespace, subject.name, patch)
        async with self._engine.begin() as conn:
            await conn.execute(
                update(revisions)
                .where(revisions.c.assistant_uid == subject.uid, revisions.c.revision <= number)
                .where(revisions.c.announced_at.is_(None))
                .values(announced_at=func.now())
            )


async def _newest(conn: AsyncConnection, uid: str) -> Row[*tuple[Any, ...]] | None:
    query = select(*_FACTS).where(revisions.c.assistant_uid == uid).order_by(revisions.c.revision.desc()).limit(1)
    return (await conn.execute(query)).one_or_none()


def _revision(row: Row[*tuple[Any, ...]]) -> Revision:
    return Revision.model_validate(dict(row._mapping))  # noqa: SLF001 the public name of it in SQLAlchemy
