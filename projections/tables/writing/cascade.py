"""Deleting rows that others refer to: what the database deletes or clears along is found and logged.

Level by level and one statement per foreign key: rows are locked before those that refer to them are read, so
no row can join unseen. The number of statements grows with the foreign keys involved (and the depth of a tree
that refers to itself), not with rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from domain.access.command import Command
from domain.model import Model, split_key
from projections.database import Connection
from projections.errors import Attempt
from projections.tables.writing.batches import keyed_rows
from projections.tables.writing.conditions import Condition
from projections.tables.writing.events import Pending
from projections.tables.writing.naming import templates
from projections.tables.writing.references import Reference
from projections.tables.writing.rows import erase
from projections.tables.writing.session import execute
from projections.tables.writing.tables import Table, Tables

_SQL = templates("writing/cascade")

Item = tuple[str, str]
Texts = dict[str, str | None]


@dataclass
class _Affected:
    """What goes, and what loses a reference: the row as it was (JSON), and the columns that are cleared."""

    gone: dict[Item, None] = field(default_factory=dict)
    cleared: dict[Item, str] = field(default_factory=dict)
    columns: dict[Item, list[str]] = field(default_factory=dict)


@dataclass
class Deletion:
    """One deletion in an open transaction."""

    connection: Connection
    command: Command
    model: Model
    tables: Tables

    async def run(
        self, table: Table, parts: Sequence[Sequence[str]], condition: Condition | None
    ) -> tuple[list[str], list[Pending]]:
        """Delete rows; the keys of those that were there, and the events of everything that happened."""
        attempt = Attempt(self.model, table.shape.name)
        values = condition.values if condition else ()
        name = table.shape.name
        statement = table.statements.locked(_SQL["lock"], self._referred(name), condition)
        rows = await execute(self.connection, statement, [keyed_rows(parts), *values], attempt)
        rows.sort(key=lambda row: int(row[0] or 0))
        found = list(dict.fromkeys(str(key) for _, key, _ in rows))
        affected = _Affected(gone={(name, key): None for key in found})
        await self._follow(affected, {name: [orjson.loads(state or "") for *_, state in rows]})
        await erase(self.connection, table, [table.shape.key_texts(key) for key in found], attempt)
        meta = self._meta([], cascade=False)
        events = [Pending("item.deleted", name, key, None, meta) for key in found]
        return found, events + await self._consequences(affected, frozenset(found), name)

    async def _follow(self, affected: _Affected, frontier: dict[str, list[Texts]]) -> None:
        while frontier:
            following: dict[str, list[Texts]] = {}
            for name, rows in frontier.items():
                for reference in self.tables.references(self.model).get(name, ()):
                    for key, state in await self._referring(reference, rows):
                        item = (reference.child, key)
                        if item in affected.gone:
                            continue
                        if reference.cascades:
                            affected.gone[item] = None
                            following.setdefault(reference.child, []).append(orjson.loads(state))
                        else:
                            affected.cleared.setdefault(item, state)
                            affected.columns.setdefault(item, []).extend(reference.columns)
            frontier = following

    def _referred(self, name: str) -> tuple[str, ...]:
        """The columns that acting foreign keys refer to: all that is asked of rows that go."""
        references = self.tables.references(self.model).get(name, ())
        return tuple(sorted({target for reference in references for target in reference.targets}))

    async def _referring(self, reference: Reference, rows: Sequence[Texts]) -> list[tuple[str, str]]:
        child = self.tables.of(self.model, reference.child)
        keys = [[row[target] for target in reference.targets] for row in rows]
        documents = [{f"k{place}": text for place, text in enumerate(key)} for key in keys if None not in key]
        if not documents:
            return []
        wanted = self._referred(reference.child) if reference.cascades else None
        statement = child.statements.referring(_SQL["referring"], reference.columns, wanted)
        attempt = Attempt(self.model, reference.child)
        found = await execute(self.connection, statement, [orjson.dumps(documents).decode()], attempt)
        return [(str(key), str(state)) for key, state in found]

    async def _consequences(self, affected: _Affected, own: frozenset[str], name: str) -> list[Pending]:
        events = [
            Pending("item.deleted", collection, key, None, self._meta([], cascade=True))
            for collection, key in affected.gone
            if collection != name or key not in own
        ]
        by_collection: dict[str, list[str]] = {}
        for collection, key in affected.cleared:
            if (collection, key) not in affected.gone:
                by_collection.setdefault(collection, []).append(key)
        for collection, keys in by_collection.items():
            events += await self._cleared(collection, keys, affected)
        return events

    async def _cleared(self, collection: str, keys: Sequence[str], affected: _Affected) -> list[Pending]:
        child = self.tables.of(self.model, collection)
        size = len(child.shape.key)
        documents = [
            {
                "n": number,
                "fields": affected.columns[collection, key],
                "old": orjson.Fragment(affected.cleared[collection, key]),
                **{f"k{place}": part for place, part in enumerate(split_key(key, size))},
            }
            for number, key in enumerate(keys)
        ]
        rows = await execute(
            self.connection,
            child.statements.compare(_SQL["compare"]),
            [orjson.dumps(documents).decode()],
            Attempt(self.model, collection),
        )
        events: list[Pending] = []
        for _, key, payload in rows:
            meta = self._meta(affected.columns[collection, str(key)])
            events.append(Pending("item.updated", collection, str(key), payload, meta))
        return events

    def _meta(self, fields: Sequence[str], *, cascade: bool = True) -> bytes:
        cause = {"cause": "cascade"} if cascade else {}
        return orjson.dumps({"fields": list(fields), **cause, **self.command.notes})
