"""The follower that opens deliveries: an event and its deliveries stand or fall together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from domain.log import Record
from domain.webhooks.model import Webhook
from projections.database import Connection, Database
from projections.log import positions
from projections.webhooks.noting import note, webhooks
from workers.follower import Batch, RecordFollower


class WebhookFollower(RecordFollower):
    """Opens deliveries in the transaction that moves its position; ``noted`` is set when there are some.

    Events count from the one that made a webhook active, so a new follower begins with the log's first. After
    a rewind nothing is sent again, unless the rewind asks for it.
    """

    name: ClassVar[str] = "webhooks"
    repeats: ClassVar[bool] = False

    def __init__(self) -> None:
        self.noted = asyncio.Event()
        self._known: list[Webhook] = []
        self._opened = 0

    async def step(self, database: Database, limit: int) -> int:
        """One batch; who waits for deliveries hears of them when they are committed."""
        self._opened = 0
        advanced = await super().step(database, limit)
        if self._opened:
            self.noted.set()
        return advanced

    async def skipped(self, connection: Connection, after: int) -> int:
        """All, while there is no webhook."""
        last = await positions.last_position(connection)
        self._known = await webhooks(connection)
        return after if self._known else max(last, after)

    async def handle(self, connection: Connection, records: Sequence[Record], batch: Batch) -> None:
        """Open the deliveries of a batch."""
        self._opened = await note(connection, self._known, records, batch.rewinds)
