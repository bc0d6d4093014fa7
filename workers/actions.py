"""The follower that tells the action hooks of extensions what has happened to items, the model and history.

It outlives kills: every event is told at least once, in the order of the log. What a hook raises is logged,
and the next event is told.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, ClassVar

from domain.hooks.registry import ACTIONS, Hooks
from domain.log import Record
from domain.log.changes import Change, changes
from projections.database import Database
from projections.flows.chain import LONGEST, after, chain
from projections.flows.rows import EVENTS, Row, rows
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
        """Tell of each change, one after the other, then of what activity and revisions show of them."""
        found: list[Row] = []
        if self._hooks.actions(EVENTS):
            async with self._database.connection() as connection:
                found = await rows(connection, records, lambda event: self._hooks.actions((event,)))
        for change in changes(record for record in records if not (record.meta or {}).get("cause")):
            await self._tell_change(change)
        for row in found:
            await self._tell((row.told["event"],), row.record, row.told)

    async def _tell_change(self, change: Change) -> None:
        event, names = named(change)
        if not self._hooks.actions(names):
            return
        async with self._database.connection() as connection:
            secrets = await secret_fields(connection, change.collection)
        await self._tell(names, change.records[-1], told(change, event, secrets))

    async def _tell(self, names: Sequence[str], record: Record, meta: dict[str, Any]) -> None:
        if (length := after(record)) > LONGEST:
            log.error("hooks are not told of %s: they set each other off", _what(meta))
            return
        async with self._database.connection() as connection:
            accountability = await who(connection, record)
        token = chain.set(length)
        try:
            await self._hooks.tell(names, meta, caller_of(accountability))
        finally:
            chain.reset(token)


def _what(meta: dict[str, Any]) -> str:
    return f"{meta['collection']} {meta.get('keys') or meta['key']}"
