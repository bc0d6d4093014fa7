"""Prepare the webhooks' part of ``acta``: deliveries, replays, and the job queue."""

from __future__ import annotations

from projections import migrations
from projections.database import Database
from projections.webhooks import queue


async def prepare(database: Database) -> None:
    """Bring the tables up to date, after the system's; safe from any number of processes at once."""
    async with database.transaction() as connection:
        await migrations.begin(connection)
        await migrations.migrate(connection, "webhooks")
        await queue.prepare(connection)
