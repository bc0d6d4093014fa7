"""A project with a history: two user tables made through the schema service, a writer, a sealed log."""

from collections.abc import AsyncIterator

import pytest

from domain.settings import Settings
from projections.database import Database
from projections.reading.reader import Reader
from projections.schema.service import SchemaService
from projections.tables.item_writer import ItemWriter
from projections.tables.store import ModelStore
from tests.support.project import Project, limits


@pytest.fixture
async def database(prepared_url: str) -> AsyncIterator[Database]:
    async with await Database.open(prepared_url, maximum=8) as opened:
        yield opened


@pytest.fixture
async def project(database: Database, prepared_url: str) -> Project:
    store = await ModelStore.open(database)
    reader = Reader(database, limits())
    writer = ItemWriter(database, reader, Settings.parse({}))
    return Project(
        prepared_url, database, store, SchemaService(database, store, lock_timeout=2000), reader, writer
    )
