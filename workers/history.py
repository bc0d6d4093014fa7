"""Keeps the histories that reads as of a moment are answered from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from projections.database import Connection
from projections.log.positions import last_position
from projections.tables.introspect import load_model
from projections.time import history
from projections.time.history import History
from workers.follower import Batch, InwardFollower


class Histories(InwardFollower):
    """The rows of chosen collections with the positions they were valid at. In SQL alone."""

    name: ClassVar[str] = "history"
    batch: ClassVar[int] = 5000
    # What happened before is folded in one go when the history of a collection is made.
    from_start: ClassVar[bool] = False

    def __init__(self, collections: Sequence[str], schemas: Sequence[str], exclude: Sequence[str]) -> None:
        self._collections = tuple(collections)
        self._schemas = tuple(schemas)
        self._exclude = tuple(exclude)
        self._kept: list[History] | None = None

    async def advance(self, connection: Connection, batch: Batch) -> int:
        """Apply what happened."""
        upto = min(batch.after + batch.limit, await last_position(connection))
        # A history holds every position once, also after a rewind.
        after = max(batch.after, batch.reached)
        kept = self._kept
        # Known only for as long as nothing goes wrong: a batch that is rolled back takes its tables along.
        self._kept = None
        new = upto > after
        if kept is None or (new and await history.schema_changed(connection, after, upto - after)):
            model = await load_model(connection, schemas=self._schemas, exclude=self._exclude)
            wanted = history.wanted(model, self._collections)
            kept = await history.keep(connection, wanted, max(upto, batch.reached))
        for one in kept if new else ():
            if not one.made:
                await history.apply(connection, one, after, upto - after)
        self._kept = [replace(one, made=False) for one in kept]
        return upto
