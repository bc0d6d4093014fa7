"""An empty database, opened; `execute` runs statements on it, `look` loads its model."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import LiteralString, TypeAlias

import pytest

from domain.model import Model
from projections.database import Database
from projections.prepare import prepare
from projections.tables.introspect import load_model

Execute: TypeAlias = Callable[[LiteralString], Awaitable[None]]
Look: TypeAlias = Callable[..., Awaitable[Model]]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url, maximum=4) as opened:
        yield opened


@pytest.fixture
async def prepared(database: Database) -> Database:
    await prepare(database)
    return database


@pytest.fixture
def execute(database: Database) -> Execute:
    async def run(statements: LiteralString) -> None:
        async with database.connection() as connection:
            await connection.execute(statements)

    return run


@pytest.fixture
def look(database: Database) -> Look:
    async def run(*schemas: str, exclude: tuple[str, ...] = ()) -> Model:
        async with database.connection() as connection:
            return await load_model(connection, schemas=schemas or ("public",), exclude=exclude)

    return run
