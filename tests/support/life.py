"""A life at random: items and the schema of a database change, as its users might change them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from domain.access.command import Command
from domain.errors import ActaError, ErrorGroup
from domain.model import Collection, join_key
from projections.log.rebuild import comparable
from tests.support.project import Project

SCHEMA_SHARE = 0.02


@dataclass
class Life:
    """Random changes of a project's user tables; the same seed gives the same life."""

    project: Project
    seed: int
    done: dict[str, int] = field(default_factory=dict)
    _made: int = 0

    def __post_init__(self) -> None:
        """Begin."""
        self._random = random.Random(self.seed)

    async def changes(self, number: int) -> AsyncIterator[int]:
        """Make changes one after another; those that the database refuses don't count."""
        made = 0
        while made < number:
            schema = self._random.random() < SCHEMA_SHARE
            name, step = ("schema", self._schema) if schema else ("item", self._item)
            try:
                await step()
            except (ActaError, ErrorGroup):
                self.done["refused"] = self.done.get("refused", 0) + 1
                continue
            self.done[name] = self.done.get(name, 0) + 1
            made += 1
            yield made

    def _collections(self) -> list[Collection]:
        return [entry for entry in comparable(self.project.store.current) if not entry.system]

    async def _item(self) -> None:
        entry = self._random.choice(self._collections())
        row = await self._row(entry)
        kind = self._random.choices(["create", "update", "delete", "many"], [4, 10, 3, 1])[0]
        command = Command.internal()
        if row is None or kind == "create":
            await self.project.create(entry.name, self._changed(entry, row or {}, key=True), command=command)
            return
        key = join_key([str(row[column]) for column in entry.primary_key])
        if kind == "update":
            await self.project.update(entry.name, key, self._changed(entry, row), command=command)
        elif kind == "delete":
            await self.project.delete(entry.name, key, command=command)
        else:
            rows = [self._changed(entry, row, key=True) for _ in range(5)]
            await self.project.create(entry.name, *rows, command=command)

    async def _row(self, entry: Collection) -> dict[str, Any] | None:
        table = sql.Identifier(entry.schema, entry.table)
        count = (await self.project.sql(sql.SQL("select count(*) from {}").format(table)))[0][0]
        if not count:
            return None
        query = sql.SQL("select to_jsonb(t) from {} as t order by {} offset {} limit 1").format(
            table,
            sql.SQL(", ").join(map(sql.Identifier, entry.primary_key)),
            sql.Literal(self._random.randrange(count)),
        )
        found: dict[str, Any] = (await self.project.sql(query))[0][0]
        return found

    def _changed(self, entry: Collection, row: dict[str, Any], *, key: bool = False) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, column in entry.columns.items():
            if name in entry.primary_key:
                if (
                    key
                    and column.data_type == "integer"
                    and column.foreign_key is None
                    and not column.sequence
                ):
                    values[name] = self._random.randrange(10**6, 10**9)
                elif key and not column.sequence:
                    values[name] = row.get(name)
            elif key or self._random.random() < 0.3:
                values[name] = self._value(
                    column.data_type, row.get(name), foreign=column.foreign_key is not None
                )
        return values

    def _value(self, data_type: str, old: Any, *, foreign: bool) -> Any:
        if foreign or self._random.random() < 0.2:
            return old
        if data_type in ("character varying", "text", "character"):
            return f"v{self._random.randrange(10**6)}"
        if data_type in ("integer", "bigint", "smallint"):
            return self._random.randrange(1000)
        if data_type == "numeric":
            return str(self._random.randrange(1000) / 100)
        return old

    async def _schema(self) -> None:
        self._made += 1
        service, command = self.project.service, Command.internal()
        entry = self._random.choice(self._collections())
        kind = self._random.choice(["field", "field", "rename", "drop", "collection", "gone"])
        name = f"extra_{self._made}"
        added = [column for column in entry.columns if column.startswith("extra_")]
        plain = [
            name
            for name, about in entry.columns.items()
            if name not in entry.primary_key and about.foreign_key is None
        ]
        if kind == "field":
            default = self._random.choice([None, 5])
            body = {"field": name, "type": "integer", "schema": {"default_value": default}}
            await service.create_field(command, entry.name, body)
        elif kind == "rename" and added:
            await service.rename(command, {"collection": entry.name, "field": added[0], "name": name})
        elif kind == "drop" and len(plain) > 1:
            await service.delete_field(command, entry.name, self._random.choice(plain))
        elif kind == "collection":
            await self.project.collection(f"made_{self._made}", {"field": "name", "type": "string"})
            await self.project.create(f"made_{self._made}", *({"name": f"n{n}"} for n in range(3)))
        elif kind == "gone":
            made = [one.name for one in self._collections() if one.name.startswith("made_")]
            if made:
                await service.delete_collection(command, made[0])
