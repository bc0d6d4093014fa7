"""The item writer that knows what system collections demand: every write of theirs passes its guard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.access.command import Command
from domain.model import join_key
from projections.database import Connection
from projections.system.guards import GUARDS, Occasion
from projections.tables.item_writer import ItemWriter, Payload
from projections.tables.writing.session import several
from projections.tables.writing.tables import Table


class GuardedWriter(ItemWriter):
    """`ItemWriter` with the guards of `projections.system.guards` inside its transactions."""

    async def _create(
        self, command: Command, table: Table, payloads: Sequence[Payload], connection: Connection | None
    ) -> list[str]:
        guard = GUARDS.get(table.shape.name)
        if guard is None:
            return await super()._create(command, table, payloads, connection)
        async with several(self._database, connection) as own:
            occasion = Occasion(own, table.shape.model, command, self)
            # One after another, so that the second of two that exclude each other meets the first.
            keys: list[str] = []
            for payload in payloads:
                checked = dict(await guard.payload(occasion, "create", (), payload))
                created = await super()._create(command, table, [checked], own)
                await guard.after(occasion, "create", created, checked)
                keys += created
            return keys

    async def _update(
        self,
        command: Command,
        table: Table,
        keys: Sequence[str],
        payload: Payload,
        connection: Connection | None,
    ) -> list[str]:
        guard = GUARDS.get(table.shape.name)
        if guard is None:
            return await super()._update(command, table, keys, payload, connection)
        async with several(self._database, connection) as own:
            occasion = Occasion(own, table.shape.model, command, self)
            checked = dict(await guard.payload(occasion, "update", keys, payload))
            found = await super()._update(command, table, keys, checked, own)
            await guard.after(occasion, "update", found, checked)
            return found

    async def _update_each(
        self, command: Command, table: Table, payloads: Sequence[Payload], connection: Connection | None
    ) -> list[str]:
        guard = GUARDS.get(table.shape.name)
        if guard is None:
            return await super()._update_each(command, table, payloads, connection)
        async with several(self._database, connection) as own:
            occasion = Occasion(own, table.shape.model, command, self)
            found: list[str] = []
            for payload in payloads:
                keys = _keys_of(table, payload)
                checked = dict(await guard.payload(occasion, "update", keys, payload))
                changed = await super()._update_each(command, table, [checked], own)
                await guard.after(occasion, "update", changed, checked)
                found += changed
            return list(dict.fromkeys(found))

    async def _delete(
        self, command: Command, table: Table, keys: Sequence[str], connection: Connection | None
    ) -> list[str]:
        guard = GUARDS.get(table.shape.name)
        if guard is None:
            return await super()._delete(command, table, keys, connection)
        async with several(self._database, connection) as own:
            occasion = Occasion(own, table.shape.model, command, self)
            await guard.before_delete(occasion, keys)
            deleted = await super()._delete(command, table, keys, own)
            await guard.after(occasion, "delete", deleted, {})
            return deleted


def _keys_of(table: Table, payload: Payload) -> list[str]:
    parts: list[Any] = [payload.get(name) for name in table.shape.collection.primary_key]
    return [] if any(part is None for part in parts) else [join_key(parts)]
