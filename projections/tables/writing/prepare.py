"""Prepare the writing room's part of schema ``acta``: answers kept under idempotency keys."""

from __future__ import annotations

from projections import migrations
from projections.database import Database


async def prepare(database: Database) -> None:
    """Bring the tables up to date, after the log's; safe from any number of processes at once."""
    async with database.transaction() as connection:
        await migrations.begin(connection)
        await migrations.migrate(connection, "writing")
