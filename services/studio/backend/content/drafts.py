"""Drafts in PostgreSQL: files by path, changed one by one or all at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from studio.backend import audit
from studio.backend.access import Caller
from studio.backend.content import rules
from studio.backend.models.content import DraftFile
from studio.db.schema.back_end import drafts
from studio.http.problems import Refused


@dataclass(frozen=True, slots=True)
class Subject:
    """The assistant whose content it is."""

    uid: str
    name: str


async def lock(conn: AsyncConnection, uid: str) -> None:
    """Let nobody else change the content of the assistant until the transaction ends."""
    await conn.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"content:{uid}", 0))))


async def texts(conn: AsyncConnection, uid: str) -> dict[str, str]:
    """All files of the draft."""
    rows = await conn.execute(select(drafts.c.path, drafts.c.text).where(drafts.c.assistant_uid == uid))
    return {row.path: row.text for row in rows}


async def files(conn: AsyncConnection, uid: str) -> list[DraftFile]:
    """The files of the draft, without their text, by path."""
    columns = (drafts.c.path, drafts.c.size, drafts.c.updated_at, drafts.c.updated_by)
    rows = await conn.execute(select(*columns).where(drafts.c.assistant_uid == uid).order_by(drafts.c.path))
    return [
        DraftFile(path=row.path, size=row.size, updated_at=row.updated_at, updated_by=row.updated_by) for row in rows
    ]


async def read(engine: AsyncEngine, subject: Subject, path: str) -> tuple[str, str]:
    """Text and digest of a file. Raises Refused."""
    rules.check_path(path)
    async with engine.connect() as conn:
        row = await _row(conn, subject.uid, path)
    if row is None:
        raise _missing(subject, path)
    return row.text, row.sha256


async def write(
    engine: AsyncEngine, caller: Caller, subject: Subject, path: str, text: str, *, if_match: str | None
) -> str:
    """Write a file and give its digest; `if_match` is the condition as HTTP has it. Raises Refused."""
    rules.check_path(path)
    async with engine.begin() as conn:
        await lock(conn, subject.uid)
        _check_match(if_match, await _row(conn, subject.uid, path))
        sizes = {file.path: file.size for file in await files(conn, subject.uid)}
        rules.check_set({**sizes, path: len(text.encode())})
        await _store(conn, caller, subject, {path: text})
        await audit.record(conn, caller, f"{subject.name}/{path}")
    return rules.file_digest(text)


async def remove(engine: AsyncEngine, caller: Caller, subject: Subject, path: str, *, if_match: str | None) -> None:
    """Delete a file. Raises Refused."""
    rules.check_path(path)
    async with engine.begin() as conn:
        await lock(conn, subject.uid)
        row = await _row(conn, subject.uid, path)
        if row is None:
            raise _missing(subject, path)
        _check_match(if_match, row)
        await conn.execute(delete(drafts).where(drafts.c.assistant_uid == subject.uid, drafts.c.path == path))
        await audit.record(conn, caller, f"{subject.name}/{path} (deleted)")


async def replace(engine: AsyncEngine, caller: Caller, subject: Subject, wanted: Mapping[str, str]) -> None:
    """Make the draft exactly these files; those that do not change keep who changed them last."""
    async with engine.begin() as conn:
        await lock(conn, subject.uid)
        present = await texts(conn, subject.uid)
        gone = [path for path in present if path not in wanted]
        if gone:
            await conn.execute(delete(drafts).where(drafts.c.assistant_uid == subject.uid, drafts.c.path.in_(gone)))
        await _store(
            conn, caller, subject, {path: text for path, text in wanted.items() if present.get(path) != text}
        )  # fmt: skip
        await audit.record(conn, caller, f"{subject.name} ({len(wanted)} files)")


async def _store(conn: AsyncConnection, caller: Caller, subject: Subject, texts: Mapping[str, str]) -> None:
    rows = [
        {
            "assistant_uid": subject.uid, "assistant": subject.name, "path": path, "text": text,
            "size": len(text.encode()), "sha256": rules.file_digest(text), "updated_by": caller.person.username,
        }
        for path, text in texts.items()
    ]  # fmt: skip
    if not rows:
        return
    statement = insert(drafts)
    excluded = statement.excluded
    changed = {name: excluded[name] for name in ("text", "size", "sha256", "updated_by")}
    await conn.execute(
        statement.on_conflict_do_update(
            index_elements=["assistant_uid", "path"], set_={**changed, "updated_at": func.now()}
        ),
        rows,
    )


async def _row(conn: AsyncConnection, uid: str, path: str) -> Row[*tuple[Any, ...]] | None:
    query = select(drafts.c.text, drafts.c.sha256).where(drafts.c.assistant_uid == uid, drafts.c.path == path)
    return (await conn.execute(query)).one_or_none()


def _check_match(if_match: str | None, row: Row[*tuple[Any, ...]] | None) -> None:
    """If-Match (RFC 9110, 13.1.1): whoever edits what somebody else has changed meanwhile is told."""
    if if_match is None:
        return
    tags = {tag.strip() for tag in if_match.split(",")}
    if row is None or not ("*" in tags or f'"{row.sha256}"' in tags):
        raise Refused(412, "If-Match: the file was changed meanwhile; read it again")


def _missing(subject: Subject, path: str) -> Refused:
    return Refused(404, f"the draft of {subject.name} has no file {path}")
