"""The tables of the back end: drafts, publications, and the audit log."""

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, PrimaryKeyConstraint, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from studio.db.schema.columns import metadata, moment, words

# What is being edited. The uid keeps a re-created assistant apart from its predecessor; the name is for people.
drafts = Table(
    "drafts",
    metadata,
    Column("assistant_uid", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("assistant", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", Text, nullable=False),
    moment("updated_at", nullable=False, now=True),
    Column("updated_by", Text, nullable=False),
    PrimaryKeyConstraint("assistant_uid", "path"),
)

# What was published; a row never changes, but for the note that its number stands on the Assistant.
content_revisions = Table(
    "content_revisions",
    metadata,
    Column("assistant_uid", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("assistant", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("files", JSONB, nullable=False),
    Column("published_by", Text, nullable=False),
    words("message"),
    moment("published_at", nullable=False, now=True),
    moment("announced_at"),
    PrimaryKeyConstraint("assistant_uid", "revision"),
    Index("ix_content_revisions_unannounced", "assistant_uid", postgresql_where=text("announced_at is null")),
)

# `outcome` is `begun` until the end is known: what was begun and never ended may have been done.
audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    moment("at", nullable=False, now=True),
    Column("who", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("request_id", Text, nullable=False),
)
