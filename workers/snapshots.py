"""Takes snapshots of items with long histories."""

from __future__ import annotations

from typing import ClassVar

from projections.database import Connection
from projections.log.positions import last_position
from projections.log.snapshots import take_snapshots
from workers.follower import Batch, InwardFollower


class Snapshots(InwardFollower):
    """A snapshot of an item every hundred events. In SQL alone: the events never come here."""

    name: ClassVar[str] = "snapshots"
    batch: ClassVar[int] = 10_000
    # A snapshot helps long histories only, so it may come late and in large batches, which are cheaper.
    pace: ClassVar[float] = 2.0

    async def advance(self, connection: Connection, batch: Batch) -> int:
        """Take what is due."""
        upto = min(batch.after + batch.limit, await last_position(connection))
        if upto > batch.after:
            await take_snapshots(connection, batch.after, upto - batch.after)
        return upto
