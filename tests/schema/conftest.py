"""A prepared database's model and the schema service, for each test that asks."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.access.command import Command
from projections.database import Database
from projections.schema.service import SchemaService
from projections.tables.store import ModelStore
from tests.support.schema import Rows


@pytest.fixture
async def database(prepared_url: str) -> AsyncIterator[Database]:
    async with await Database.open(prepared_url, maximum=8) as opened:
        yield opened


@pytest.fixture
async def store(database: Database) -> ModelStore:
    return await ModelStore.open(database)


@pytest.fixture
def service(database: Database, store: ModelStore) -> SchemaService:
    return SchemaService(database, store, lock_timeout=300)


@pytest.fixture
def command() -> Command:
    return Command.internal()


@pytest.fixture
def rows(database: Database) -> Rows:
    """Run a statement and fetch all rows, if it gives any."""

    async def run(statement: Any, *parameters: Any) -> list[tuple[Any, ...]]:
        async with database.connection() as connection:
            cursor = await connection.execute(statement, parameters or None)
            return await cursor.fetchall() if cursor.description else []

    return run
