"""A prepared database, and events of chosen content in its log."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from projections.database import Database
from projections.prepare import prepare


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url, maximum=4) as opened:
        await prepare(opened)
        yield opened


@dataclass
class Log:
    """Writes events as a command does, and reads the views of history."""

    database: Database

    async def rows(self, statement: str | sql.Composable, *values: Any) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            cursor = await connection.execute(statement, values or None)  # type: ignore[arg-type]
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()] if names else []

    async def event(
        self,
        topic: str,
        collection: str,
        item: object,
        payload: Any = None,
        *,
        request: UUID | None = None,
        **meta: Any,
    ) -> int:
        """Append one event; gives its seq."""
        inserted = await self.rows(
            "insert into acta.events (topic, collection, item, request, payload, meta)"
            " values (%s, %s, %s, %s, %s, %s) returning seq",
            topic,
            collection,
            str(item),
            request or uuid4(),
            None if payload is None else Jsonb(payload),
            Jsonb(meta) if meta else None,
        )
        return int(inserted[0]["seq"])

    async def created(self, collection: str, item: object, row: dict[str, Any], **meta: Any) -> int:
        return await self.event("item.created", collection, item, row, **meta)

    async def updated(self, collection: str, item: object, changes: dict[str, Any], **meta: Any) -> int:
        meta.setdefault("fields", list(changes))
        return await self.event("item.updated", collection, item, changes, **meta)

    async def revision(self, seq: int) -> dict[str, Any] | None:
        found = await self.rows("select * from acta.directus_revisions where id = %s", seq)
        return found[0] if found else None

    async def activity(self) -> list[tuple[str, str, str]]:
        found = await self.rows("select * from acta.directus_activity order by id")
        return [(row["action"], row["collection"], row["item"]) for row in found]


@pytest.fixture
def log(database: Database) -> Log:
    return Log(database)
