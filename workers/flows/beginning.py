"""The follower that begins runs: an event and the runs it sets off stand or fall together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from domain.log import Record
from projections.database import Connection
from projections.flows.runs import begin_runs, begun_at, is_awaiting
from projections.log.positions import last_position, position_at
from workers.follower import Batch, RecordFollower


class FlowFollower(RecordFollower):
    """Begins the runs of flows that listen to events; ``begun`` is set when there are some."""

    name: ClassVar[str] = "flows"

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def beginning(self, connection: Connection) -> int:
        """Where the log was when this database began to run flows, perhaps long before any process does: one
        that was brought here from elsewhere tells of older events."""
        return await position_at(connection, await begun_at(connection))

    async def skipped(self, connection: Connection, after: int) -> int:
        """All, while no flow listens: one that begins to do so wants later events only."""
        last = await last_position(connection)
        return after if await is_awaiting(connection) else max(last, after)

    async def handle(self, connection: Connection, records: Sequence[Record], batch: Batch) -> None:
        """Begin runs in the transaction that moves the position."""
        if await begin_runs(connection, records):
            self.begun.set()
