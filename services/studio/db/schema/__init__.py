"""The tables of database `studio` as SQLAlchemy metadata: what the migrations lead to.

The model service and ingestion use asyncpg with SQL of their own; the back end queries these tables.
"""

from studio.db.schema import back_end, conversations, model_service
from studio.db.schema.columns import metadata

__all__ = ["back_end", "conversations", "metadata", "model_service"]
