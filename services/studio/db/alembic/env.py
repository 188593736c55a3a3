"""Alembic's entry: runs on the connection that `studio.db.migrate` (or a test) puts into the configuration."""

from alembic import context

from studio.db.schema import metadata

config = context.config


def run() -> None:
    """Apply or compare on the given connection, one transaction for each revision."""
    context.configure(
        connection=config.attributes["connection"],
        target_metadata=metadata,
        transaction_per_migration=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
