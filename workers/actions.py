"""The follower that tells the action hooks of extensions what has happened to items and the model.

It outlives kills: every event is told at least once, in the order of the log. What a hook raises is logged,
and the next event is told.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import ClassVar

from domain.hooks.registry import ACTIONS, Hooks
from domain.log import Record
from domain.log.changes import Change, changes
from projections.database import Database
from projections.flows.chain import LONGEST, after, chain
from projections.flows.runs import caller_of, named, secret_fields, told, who
from workers.follower import Batch, OutwardFollower

log = logging.getLogger("acta.extensions")


class Actions(OutwardFollower):
    """Tells hooks."""

    name: ClassVar[str] = ACTIONS
    batch: ClassVar[int] = 100
    from_start: ClassVar[bool] = False

    def __init__(self, hooks: Hooks, database: Database) -> None:
        self._hooks = hooks
        self._database = database

    async def handle(self, records: Sequence[Record], batch: Batch) -> None:
        """Tell of each change, one after the other."""
        for change in changes(record for record in records if not (record.meta or {}).get("cause")):
            await self._tell(change)

    async def _tell(self, change: Change) -> None:
        event, names = named(change)
        hooks = self._hooks.actions(names)
        if not hooks:
            return
        if (length := after(change.records[-1])) > LONGEST:
            log.error("hooks are not told of %s %s: they set each other off", change.collection, change.keys)
            return
        async with self._database.connection() as connection:
            accountability = await who(connection, change.records[-1])
            secrets = await secret_fields(connection, change.collection)
        meta = told(change, event, secrets)
        token = chain.set(length)
        try:
            for hook in hooks:
                await hook(meta, caller_of(accountability))
        finally:
            chain.reset(token)
