"""What commands need to read and write items as the API does, without its server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from domain.access.caller import SYSTEM
from domain.access.command import Command
from domain.access.rights import ADMINISTRATOR
from domain.query.limits import QueryLimits
from domain.settings import Settings
from projections.database import Database
from projections.prepare import prepare
from projections.reading.reader import Reader
from projections.tables.item_writer import ItemWriter
from projections.tables.store import ModelStore


@dataclass(frozen=True)
class Services:
    """Reads and writes as Acta itself: every right, and every write an event."""

    models: ModelStore
    reader: Reader
    writer: ItemWriter

    async def rows(self, collection: str, **query: Any) -> list[dict[str, Any]]:
        """Items by the members of a query: fields, filter, sort, limit."""
        rows = await self.reader.rows(self.models.current, ADMINISTRATOR, SYSTEM, collection, query)
        return list(rows)

    async def create(self, collection: str, payload: dict[str, Any]) -> str:
        """Create one item; its key."""
        return (await self.writer.create(Command.internal(), self.models.current, collection, [payload]))[0]

    async def update(self, collection: str, key: str, payload: dict[str, Any]) -> None:
        """Change one item."""
        await self.writer.update(Command.internal(), self.models.current, collection, [key], payload)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Services]:
    """The services on the prepared database of the settings. Raises ServiceUnavailable."""
    where = settings.database
    assert where.url is not None
    async with await Database.open(where.url.get_secret_value(), application="acta command") as database:
        await prepare(database)
        models = await ModelStore.open(database, schemas=where.schemas, exclude=where.exclude_tables)
        reader = Reader(database, QueryLimits.of(settings.query, where.statement_timeout))
        yield Services(models, reader, ItemWriter(database, reader, settings))
