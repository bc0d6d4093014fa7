"""A whole project in a test: schema commands, writes, and looks at its tables at a moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from domain.access.command import Command
from domain.query.limits import QueryLimits
from projections.database import Database
from projections.log.positions import last_position
from projections.log.rebuild import comparable, compare
from projections.reading.reader import Reader
from projections.schema.service import SchemaService
from projections.tables.item_writer import ItemWriter
from projections.tables.store import ModelStore
from projections.time.moments import settle


def limits() -> QueryLimits:
    """Plain limits."""
    return QueryLimits()


@dataclass
class Project:
    """What tests of time work on. Every command has a request of its own."""

    url: str
    database: Database
    store: ModelStore
    service: SchemaService
    reader: Reader
    writer: ItemWriter
    command: Command = field(default_factory=Command.internal)

    async def sql(self, statement: Any, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement."""
        async with self.database.connection() as connection:
            cursor = await connection.execute(statement, values or None)
            return await cursor.fetchall() if cursor.description else []

    async def collection(self, name: str, *fields: dict[str, Any]) -> None:
        """A collection with an integer key."""
        key = {
            "field": "id",
            "type": "integer",
            "schema": {"is_primary_key": True, "has_auto_increment": True},
        }
        body = {"collection": name, "meta": {}, "schema": {}, "fields": [key, *fields]}
        await self.service.create_collections(Command.internal(), body)

    async def create(
        self, collection: str, *payloads: dict[str, Any], command: Command | None = None
    ) -> list[str]:
        """Create items."""
        used = command or Command.internal()
        return await self.writer.create(used, self.store.current, collection, [dict(p) for p in payloads])

    async def update(
        self, collection: str, key: Any, payload: dict[str, Any], command: Command | None = None
    ) -> None:
        """Change an item."""
        used = command or Command.internal()
        await self.writer.update(used, self.store.current, collection, [str(key)], payload)

    async def delete(self, collection: str, *keys: Any, command: Command | None = None) -> None:
        """Delete items."""
        used = command or Command.internal()
        await self.writer.delete(used, self.store.current, collection, [str(key) for key in keys])

    async def now(self) -> int:
        """The last position, once everything is sealed."""
        await settle(self.database)
        async with self.database.connection() as connection:
            return await last_position(connection)

    async def everything(self) -> dict[str, list[Any]]:
        """All rows of all collections the log can tell, and the columns of the user's tables."""
        found: dict[str, list[Any]] = {}
        await self.store.refresh()
        for entry in comparable(self.store.current):
            table = sql.Identifier(entry.schema, entry.table)
            query = sql.SQL("select to_jsonb(odd_name) from {} as odd_name").format(table)
            found[entry.name] = sorted((row[0] for row in await self.sql(query)), key=str)
        found["columns"] = sorted(
            await self.sql(
                "select table_name, column_name, data_type, column_default, is_nullable"
                " from information_schema.columns where table_schema = 'public'"
            )
        )
        found["constraints"] = sorted(
            await self.sql(
                "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint"
                " where connamespace = 'public'::regnamespace and contype <> 'n'"
            )
        )
        return found

    async def differences(self) -> list[str]:
        """Collections whose log folds to something else than their rows."""
        await self.store.refresh()
        return [
            f"{one.collection}: {one.sample}"
            async for one in compare(self.database, self.store.current)
            if one.differing
        ]
