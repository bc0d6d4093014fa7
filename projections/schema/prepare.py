"""Prepare the schema room's part of ``acta``: the functions that tell all states of a collection."""

from __future__ import annotations

from projections import migrations
from projections.database import Database


async def prepare(database: Database) -> None:
    """Bring the functions up to date, after the log's tables; safe from any number of processes at once."""
    async with database.transaction() as connection:
        await migrations.begin(connection)
        await migrations.migrate(connection, "schema")
