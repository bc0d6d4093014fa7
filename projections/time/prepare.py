"""Prepare the time room's part of ``acta``: the list of histories."""

from __future__ import annotations

from projections import migrations
from projections.database import Database


async def prepare(database: Database) -> None:
    """Bring the tables up to date, after the log's; safe from any number of processes at once."""
    async with database.transaction() as connection:
        await migrations.begin(connection)
        await migrations.migrate(connection, "time")
