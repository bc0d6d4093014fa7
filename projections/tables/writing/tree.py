"""Writing a decided tree: rank by rank, one statement per collection and kind, then the events.

Rows that others point to come first. Events follow all rows, children's before their parent's, as activity
shows them; each tells its parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.errors import Forbidden
from domain.items.rows import Row
from projections.errors import Attempt
from projections.system.guards import Change, Occasion
from projections.system.guards.base import Action
from projections.tables.writing import rows
from projections.tables.writing.batches import keyed_rows
from projections.tables.writing.cascade import Deletion
from projections.tables.writing.conditions import Condition
from projections.tables.writing.decisions import waves
from projections.tables.writing.events import Pending, append, in_order
from projections.tables.writing.growth import Growth
from projections.tables.writing.naming import templates
from projections.tables.writing.nodes import Node, in_log_order
from projections.tables.writing.session import execute
from projections.tables.writing.tables import Tables

_SQL = templates("writing/nested")
_ACTIONS: tuple[Action, ...] = ("create", "update", "delete")
_ORDER = {"delete": 0, "update": 1, "create": 2}
_TOPICS = {"create": "item.created", "update": "item.updated"}


@dataclass
class Tree:
    """One command with nested items, in an open transaction."""

    occasion: Occasion
    tables: Tables
    limit: int | None = None
    _clock: int = 0
    _consequences: dict[int, list[Pending]] = field(default_factory=dict)

    async def write(self, roots: Sequence[Node]) -> list[Node]:
        """Write the roots and everything nested in them; the roots that were there."""
        growth = Growth(self.occasion, self.tables, self.limit)
        await growth.run(roots)
        ordered = [node for node in in_log_order(roots) if node.intent in _ORDER]
        for rank in sorted({node.rank for node in ordered}):
            await self._write_rank([node for node in ordered if node.rank == rank])
        await append(self.occasion.connection, self.occasion.command, in_order(list(self._events(ordered))))
        await self._afterwards(ordered)
        return [root for root in roots if root.stored is not None]

    async def _write_rank(self, nodes: Sequence[Node]) -> None:
        groups: dict[tuple[int, str], list[Node]] = {}
        for node in nodes:
            groups.setdefault((_ORDER[node.intent], node.name), []).append(node)
        for (kind, _), group in sorted(groups.items(), key=lambda entry: entry[0][0]):
            if kind == _ORDER["delete"]:
                await self._delete(group)
            elif kind == _ORDER["update"]:
                await self._link(group)
                # Detached children stand before attached ones, for the same row may be both.
                group.sort(key=lambda node: node.pointer is not None)
                changes = _merged(group)
                labels = [node.condition for node in changes]
                for places in waves([node.key or "" for node in changes], labels):
                    await self._update([changes[place] for place in places])
            else:
                await self._link(group)
                await self._create(group)

    async def _link(self, nodes: Sequence[Node]) -> None:
        """Fill in the keys of other nodes, which are written by now."""
        waiting: dict[tuple[str, str], list[tuple[Node, str, Node]]] = {}
        for node in nodes:
            targets = list(node.links)
            if node.pointer is not None and node.parent is not None:
                targets.append((node.pointer, node.parent))
            for name, target in targets:
                column = _referred(node, name, target)
                if column is None:
                    _fill(node, name, target.key)
                else:
                    waiting.setdefault((target.name, column), []).append((node, name, target))
        for (_, column), entries in waiting.items():
            values = await self._values([target for *_, target in entries], column)
            for (node, name, _), value in zip(entries, values, strict=True):
                _fill(node, name, value)

    async def _values(self, targets: Sequence[Node], column: str) -> list[str | None]:
        """Another column than the key of rows that are written."""
        table = targets[0].table
        keys = keyed_rows([target.key_parts for target in targets])
        statement = table.statements.column(_SQL["column"], column)
        rows = await execute(
            self.occasion.connection, statement, [keys], Attempt(self.occasion.model, targets[0].name)
        )
        found = {int(n or 0): value for n, value in rows}
        return [found.get(place) for place in range(1, len(targets) + 1)]

    async def _create(self, nodes: Sequence[Node]) -> None:
        made = await rows.insert(
            self.occasion.connection, nodes[0].table, [_row(node) for node in nodes], self._attempt(nodes)
        )
        for entry in made:
            node = nodes[entry.place]
            node.key = entry.item
            self._wrote(node, entry.payload)

    async def _update(self, nodes: Sequence[Node]) -> None:
        table = nodes[0].table
        made = await rows.change(
            self.occasion.connection,
            table,
            [node.key_parts for node in nodes],
            [_row(node) for node in nodes],
            nodes[0].condition,
            self._attempt(nodes),
        )
        for entry in made:
            self._wrote(nodes[entry.place], entry.payload)
        if not self.occasion.command.rights.admin and len(made) < len(nodes):
            raise Forbidden.action("update", table.shape.name, list(nodes[0].payload) or _names(nodes[0]))

    async def _delete(self, nodes: Sequence[Node]) -> None:
        occasion = self.occasion
        deletion = Deletion(occasion.connection, occasion.command, occasion.model, self.tables)
        guard, keys = nodes[0].table.guard, [node.key_parts for node in nodes]
        if guard is not None:
            await guard.before_delete(occasion, [node.key or "" for node in nodes])
        found, events = await deletion.run(nodes[0].table, keys, nodes[0].condition)
        if not self.occasion.command.rights.admin and len(found) < len(nodes):
            raise Forbidden.action("delete", nodes[0].name)
        for event in events:
            self._clock += 1
            event.written = self._clock
        self._consequences[id(nodes[0])] = events

    def _wrote(self, node: Node, payload: str) -> None:
        self._clock += 1
        node.stored, node.written = payload, self._clock

    def _attempt(self, nodes: Sequence[Node]) -> Attempt:
        return Attempt(self.occasion.model, nodes[0].name, [node.given | node.payload for node in nodes])

    # --- the events

    def _events(self, nodes: Iterable[Node]) -> Iterable[Pending]:
        for node in nodes:
            if node.intent == "delete":
                yield from self._consequences.pop(id(node), [])
            elif node.stored is not None:
                yield Pending(
                    _TOPICS[node.intent],
                    node.name,
                    node.key or "",
                    node.stored,
                    _row(node).meta({**self.occasion.command.notes, **_parent(node)}),
                    node.written,
                )

    async def _afterwards(self, nodes: Sequence[Node]) -> None:
        """Let the guards of system collections do what follows from the writes."""
        groups: dict[str, list[Node]] = {}
        for node in nodes:
            happened = node.stored is not None or node.intent == "delete"
            if node.table.guard is not None and node.twin is None and happened:
                groups.setdefault(node.name, []).append(node)
        for group in groups.values():
            for action in _ACTIONS:
                changes = [
                    Change(node.given, node.together or [node.key or ""], node.path)
                    for node in group
                    if node.intent == action
                ]
                if changes and (guard := group[0].table.guard) is not None:
                    await guard.after(self.occasion, action, changes)


def _merged(nodes: Sequence[Node]) -> list[Node]:
    """Changes nested in other items that hit the same row become one, the later values winning; otherwise a
    batch whose items all nest the same one would need a statement each.
    """
    kept: list[Node] = []
    first: dict[tuple[str | None, Condition | None], Node] = {}
    for node in nodes:
        before = first.setdefault((node.key, node.condition), node)
        if before is node or node.parent is None or before.parent is None:
            kept.append(node)
            continue
        row, more = _row(before), _row(node)
        row.cells = {**row.cells, **more.cells}
        row.cells = {name: row.cells[name] for name in sorted(row.cells)}
        row.fields = list(dict.fromkeys([*row.fields, *more.fields]))
        row.submitted = {**row.submitted, **more.submitted}
    return kept


def _row(node: Node) -> Row:
    assert node.row is not None
    return node.row


def _fill(node: Node, name: str, value: str | None) -> None:
    _row(node).cells[name] = value


def _referred(node: Node, name: str, target: Node) -> str | None:
    """The column a foreign key refers to, where it is not the target's key."""
    column = node.table.shape.writables[name].column
    key = target.table.shape.collection.primary_key
    if column.foreign_key is None or column.foreign_key.table != target.table.shape.collection.table:
        return None
    return None if key == (column.foreign_key.column,) else column.foreign_key.column


def _names(node: Node) -> list[str]:
    return list(node.given)


def _parent(node: Node) -> dict[str, Any]:
    if node.parent is None or node.parent.key is None:
        return {}
    return {"parent": {"collection": node.parent.name, "item": node.parent.key}}
