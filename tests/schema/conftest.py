"""A prepared database, its model and the schema service, for each test that asks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from domain.access.command import Command
from projections.database import Database
from projections.prepare import prepare
from projections.schema.service import SchemaService
from projections.tables.store import ModelStore

Rows = Callable[..., Awaitable[list[tuple[Any, ...]]]]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url, maximum=8) as opened:
        await prepare(opened)
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


async def catalog_of(rows: Rows, table: str) -> list[tuple[Any, ...]]:
    """What a table looks like, its columns by name."""
    columns = await rows(
        "select column_name, data_type, character_maximum_length, column_default, is_nullable"
        " from information_schema.columns where table_schema = 'public' and table_name = %s order by 1",
        table,
    )
    constraints = await rows(
        "select conname, pg_get_constraintdef(oid) from pg_constraint"
        " where conrelid = to_regclass(quote_ident(%s)) and contype <> 'n' order by 1",
        table,
    )
    indexes = await rows("select indexname, indexdef from pg_indexes where tablename = %s order by 1", table)
    return columns + constraints + indexes
