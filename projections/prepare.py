"""Prepare all of schema ``acta``; every start of a process does it, and mostly finds nothing to do."""

from __future__ import annotations

from projections.access.counters import prepare as prepare_access
from projections.database import Database
from projections.files.prepare import prepare as prepare_files
from projections.flows.prepare import prepare as prepare_flows
from projections.log.prepare import prepare as prepare_log
from projections.schema.prepare import prepare as prepare_schema
from projections.system.prepare import prepare as prepare_system
from projections.tables.writing.prepare import prepare as prepare_writing
from projections.time.prepare import prepare as prepare_time
from projections.webhooks.prepare import prepare as prepare_webhooks


async def prepare(database: Database) -> None:
    """Bring schema ``acta`` up to date, the log before what is made from it."""
    await prepare_log(database)
    await prepare_schema(database)
    await prepare_system(database)
    await prepare_writing(database)
    await prepare_time(database)
    await prepare_access(database)
    await prepare_files(database)
    await prepare_flows(database)
    await prepare_webhooks(database)
