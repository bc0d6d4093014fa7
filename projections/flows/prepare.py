"""Prepare the flows' part of ``acta``: the tables of runs and schedules."""

from __future__ import annotations

from projections import migrations
from projections.database import Database


async def prepare(database: Database) -> None:
    """Bring the tables up to date, after the system's; safe from any number of processes at once."""
    async with database.transaction() as connection:
        await migrations.begin(connection)
        await migrations.migrate(connection, "flows")
