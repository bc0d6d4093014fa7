"""Prepare the system collections' part of schema ``acta``: their tables, and the views of history."""

from __future__ import annotations

from projections import migrations
from projections.database import Database


async def prepare(database: Database) -> None:
    """Bring the system's tables up to date, after the log's; safe from any number of processes at once."""
    async with database.transaction() as connection:
        await migrations.begin(connection)
        await migrations.migrate(connection, "system")
