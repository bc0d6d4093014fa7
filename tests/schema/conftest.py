"""A prepared database, its model and the schema service, for each test that asks."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from domain.access.command import Command
from projections.database import Database
from projections.prepare import prepare
from projections.schema.service import SchemaService
from projections.tables.store import ModelStore
from tests.support.schema import Rows

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def _prepared(postgres_url: str) -> Iterator[str]:
    """A prepared database to copy, since preparing takes longer than most tests here."""
    name = f"acta_prepared_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            asyncio.run(_prepare(make_conninfo(postgres_url, dbname=name)))
            yield name
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def _prepare(url: str) -> None:
    async with await Database.open(url) as opened:
        await prepare(opened)


@pytest.fixture
def prepared_url(postgres_url: str, _prepared: str) -> Iterator[str]:
    """The URL of a copy of the prepared database."""
    name = f"acta_schema_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(_prepared)))
        try:
            yield make_conninfo(postgres_url, dbname=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


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
