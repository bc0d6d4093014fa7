"""A prepared database's model and the schema service, for each test that asks."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.access.command import Command
from projections.database import Database
from projections.schema.service import SchemaService
from projections.tables.store import ModelStore
from tests.support.schema import Rows, collection


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


@pytest.fixture
async def shop(service: SchemaService, command: Command, rows: Rows) -> None:
    """Two collections with a relation, and rows."""
    await service.create_collections(
        command,
        [
            collection("makers", {"field": "name", "type": "string", "meta": {}}),
            collection(
                "goods",
                {"field": "name", "type": "string", "schema": {"default_value": "thing"}, "meta": {}},
                {"field": "price", "type": "decimal", "meta": {}},
                {"field": "maker", "type": "integer", "meta": {"special": ["m2o"]}},
                {"field": "block", "type": "alias", "meta": {"special": ["alias", "no-data", "group"]}},
                {"field": "inside", "type": "text", "meta": {"group": "block"}},
                sort_field="price",
                archive_field="name",
                display_template="{{name}} by {{ maker.name }}",
                item_duplication_fields=["name", "maker.name"],
            ),
        ],
    )
    relation = {"collection": "goods", "field": "maker", "related_collection": "makers"}
    await service.create_relation(command, {**relation, "meta": {"one_field": "goods"}})
    alias = {"field": "goods", "type": "alias", "meta": {"special": ["o2m"]}}
    await service.create_field(command, "makers", alias)
    await rows("insert into makers (name) select 'maker ' || n from generate_series(1, 3) as n")
    await rows(
        "insert into goods (name, price, maker) select 'good ' || n % 5, n + 0.5, 1 + n % 3"
        " from generate_series(1, 10) as n"
    )
