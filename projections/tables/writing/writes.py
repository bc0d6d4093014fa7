"""What one command does, from permitted payloads to rows and events: in one statement where that will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.access.command import Command
from domain.errors import Forbidden
from domain.items.checks import deletable
from domain.items.nested import is_nested
from domain.model import join_key
from domain.query.limits import QueryLimits
from projections.database import Connection, Database
from projections.system.guards import Change, Occasion
from projections.system.guards.base import Writer
from projections.tables.writing import flat
from projections.tables.writing.cascade import Deletion
from projections.tables.writing.conditions import Condition, condition_of
from projections.tables.writing.decisions import (
    change,
    changed_row,
    complete,
    distinct_keys,
    named_key,
    new_item,
    new_row,
    update_condition,
    waves,
)
from projections.tables.writing.events import append
from projections.tables.writing.flat import One
from projections.tables.writing.hashing import stored_secrets
from projections.tables.writing.nodes import Node
from projections.tables.writing.session import several, single
from projections.tables.writing.tables import Table, Tables
from projections.tables.writing.tree import Tree

Payload = dict[str, Any]


@dataclass(frozen=True)
class Writes:
    """The writes of all commands. ``writer`` is what guards of system collections write with."""

    database: Database
    tables: Tables
    writer: Writer
    limits: QueryLimits
    most: int | None

    async def create(
        self, command: Command, table: Table, payloads: Sequence[Payload], connection: Connection | None
    ) -> list[str]:
        """Create items; their keys, in order."""
        shape = table.shape
        if len(payloads) == 1:
            return [(await self.create_one(command, table, payloads[0], connection)).key]
        if not table.plain or any(is_nested(shape, payload) for payload in payloads):
            return await self._create_tree(command, table, payloads, connection)
        given = [new_item(shape, command, payload) for payload in payloads]
        if not command.rights.admin and any(is_nested(shape, payload) for payload in given):
            return await self._create_tree(command, table, payloads, connection)
        hashes = await stored_secrets(shape, given, self.writer.seal)
        rows = [new_row(shape, command, payload, made) for payload, made in zip(given, hashes, strict=True)]
        scope = several if flat.needs_reservation(table, rows) else single
        async with scope(self.database, connection) as own:
            return await flat.create_many(own, command, table, rows, payloads)

    async def create_one(
        self,
        command: Command,
        table: Table,
        payload: Payload,
        connection: Connection | None,
        raw: str | None = None,
    ) -> One:
        """Create an item, and answer ``raw`` where the statement can."""
        shape = table.shape
        if not table.plain or is_nested(shape, payload):
            return One((await self._create_tree(command, table, [payload], connection))[0])
        given = new_item(shape, command, payload)
        if not command.rights.admin and is_nested(shape, given):
            return One((await self._create_tree(command, table, [payload], connection))[0])
        row = new_row(shape, command, given, (await stored_secrets(shape, [given], self.writer.seal))[0])
        echo = None if raw is None else table.echo(command, raw, self.limits, new=True)
        async with single(self.database, connection) as own:
            return await flat.create_one(own, command, table, row, payload, echo)

    async def update(
        self,
        command: Command,
        table: Table,
        keys: Sequence[str],
        payload: Payload,
        connection: Connection | None,
    ) -> list[str]:
        """The same change to all keys; those that are there."""
        shape, names = table.shape, list(payload)
        if len(keys) == 1:
            one = await self.update_one(command, table, keys[0], payload, connection)
            return [] if one is None else [one.key]
        parts = distinct_keys(shape, keys)
        if not command.rights.admin and not 0 < len(keys) == len(parts):
            # The reference refuses limited callers an empty list and a key named twice.
            raise Forbidden.action("update", shape.name, names)
        if not table.plain or is_nested(shape, payload):
            return await self._update_tree(command, table, parts, payload, connection)
        given = change(shape, command, payload)
        if is_nested(shape, given):
            return await self._update_tree(command, table, parts, payload, connection)
        row = changed_row(shape, command, given, (await stored_secrets(shape, [given], self.writer.seal))[0])
        condition = update_condition(shape, command, names)
        if not parts:
            return []
        scope = single if command.rights.admin else several
        async with scope(self.database, connection) as own:
            found = await flat.update_many(
                own, command, table, parts, [row] * len(parts), [payload], condition
            )
            return complete(found, len(parts), shape, command, names)

    async def update_one(
        self,
        command: Command,
        table: Table,
        key: str,
        payload: Payload,
        connection: Connection | None,
        raw: str | None = None,
    ) -> One | None:
        """Change an item, and answer ``raw`` where the statement can; None when it is not there."""
        shape = table.shape
        parts = shape.key_texts(key)
        given = None
        if table.plain and not is_nested(shape, payload):
            given = change(shape, command, payload)
        if given is None or is_nested(shape, given):
            keys = await self._update_tree(command, table, [parts], payload, connection)
            return One(keys[0]) if keys else None
        row = changed_row(shape, command, given, (await stored_secrets(shape, [given], self.writer.seal))[0])
        condition = update_condition(shape, command, list(payload))
        echo = None if raw is None else table.echo(command, raw, self.limits, new=False)
        async with single(self.database, connection) as own:
            found = await flat.update_one(own, command, table, parts, row, payload, condition, echo)
        if not found:
            complete([], 1, shape, command, list(payload))
            return None
        return found[0]

    async def update_each(
        self, command: Command, table: Table, payloads: Sequence[Payload], connection: Connection | None
    ) -> list[str]:
        """A change of its own to each item; the keys that are there."""
        shape = table.shape
        keys = [named_key(shape, payload) for payload in payloads]
        if not table.plain or any(is_nested(shape, payload) for payload in payloads):
            return await self._update_trees(command, table, keys, payloads, connection)
        given = [change(shape, command, payload) for payload in payloads]
        hashes = await stored_secrets(shape, given, self.writer.seal)
        rows = [
            changed_row(shape, command, payload, made) for payload, made in zip(given, hashes, strict=True)
        ]
        # A condition depends on the fields that are changed, so of limited callers each set goes by itself.
        labels = [None if command.rights.admin else frozenset(payload) for payload in payloads]
        present: set[str] = set()
        async with several(self.database, connection) as own:
            for places in waves(keys, labels):
                names = list(payloads[places[0]])
                condition = update_condition(shape, command, names)
                parts = [shape.key_texts(keys[place]) for place in places]
                sent = [payloads[place] for place in places]
                of_wave = [rows[place] for place in places]
                found = await flat.update_many(own, command, table, parts, of_wave, sent, condition)
                present.update(complete(found, len(places), shape, command, names))
        return [key for key in dict.fromkeys(keys) if key in present]

    async def delete(
        self, command: Command, table: Table, keys: Sequence[str], connection: Connection | None
    ) -> list[str]:
        """Delete items; the keys that were there."""
        shape = table.shape
        parts = distinct_keys(shape, keys)
        condition = condition_of(shape, command, deletable(shape, command))
        alone = table.plain and shape.name not in self.tables.references(shape.model)
        # Where nothing has to be taken back, a single statement is a transaction by itself.
        scope = single if alone and (command.rights.admin or len(keys) == 1) else several
        async with scope(self.database, connection) as own:
            if alone:
                found = await flat.delete_many(own, command, table, parts, condition)
            else:
                found = await self._delete_with_all(own, command, table, parts, condition)
            if not command.rights.admin and len(found) < len(keys):
                raise Forbidden.action("delete", shape.name)
            return found

    # --- writes that take several statements

    async def _create_tree(
        self, command: Command, table: Table, payloads: Sequence[Payload], connection: Connection | None
    ) -> list[str]:
        shape = table.shape
        roots = [Node(table, "create", payload, shape.key_in(payload)) for payload in payloads]
        await self._grow(command, table, roots, connection)
        return [root.key or "" for root in roots]

    async def _update_tree(
        self,
        command: Command,
        table: Table,
        parts: Sequence[tuple[str, ...]],
        payload: Payload,
        connection: Connection | None,
    ) -> list[str]:
        keys = [join_key(part) for part in parts]
        roots: list[Node] = []
        for key in keys:
            twin = roots[0] if roots else None
            roots.append(Node(table, "update", payload, key, twin=twin, together=keys))
        return await self._grow(command, table, roots, connection)

    async def _update_trees(
        self,
        command: Command,
        table: Table,
        keys: Sequence[str],
        payloads: Sequence[Payload],
        connection: Connection | None,
    ) -> list[str]:
        roots = [Node(table, "update", payload, key) for key, payload in zip(keys, payloads, strict=True)]
        return await self._grow(command, table, roots, connection)

    async def _grow(
        self, command: Command, table: Table, roots: Sequence[Node], connection: Connection | None
    ) -> list[str]:
        async with several(self.database, connection) as own:
            occasion = Occasion(own, table.shape.model, command, self.writer)
            written = await Tree(occasion, self.tables, self.most).write(roots)
        return list(dict.fromkeys(root.key or "" for root in written))

    async def _delete_with_all(
        self,
        connection: Connection,
        command: Command,
        table: Table,
        parts: Sequence[tuple[str, ...]],
        condition: Condition | None,
    ) -> list[str]:
        """Delete with what the database and the system's guards do along."""
        model = table.shape.model
        occasion = Occasion(connection, model, command, self.writer)
        guard = table.guard
        if guard is not None:
            await guard.before_delete(occasion, [join_key(part) for part in parts])
        found, events = await Deletion(connection, command, model, self.tables).run(table, parts, condition)
        await append(connection, command, events)
        if guard is not None:
            await guard.after(occasion, "delete", [Change({}, found)])
        return found
