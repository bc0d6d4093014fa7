"""The log folds to the live tables, and whatever does not is named."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from domain.model import Model
from projections.database import Connection, Database
from projections.log.rebuild import Difference, compare
from projections.prepare import prepare
from projections.tables.introspect import load_model

TABLES = """
CREATE TABLE odd ("t" int, "item" text, "live" numeric(6, 2), "acta item" int, PRIMARY KEY ("t", "item"));
INSERT INTO odd VALUES (1, 'a,b%', 1.50, NULL), (2, 'c', NULL, 7);
"""
LOG = """
INSERT INTO acta.events (topic, collection, item, payload) VALUES
    ('item.created', 'odd', '1,a%2Cb%25', '{"t": 1, "item": "a,b%", "live": 1.00, "acta item": null}'),
    ('item.created', 'odd', '2,c', '{"t": 2, "item": "c", "live": null, "acta item": 7}'),
    ('item.updated', 'odd', '1,a%2Cb%25', '{"live": 1.50}'),
    ('item.created', 'odd', '3,d', '{"t": 3, "item": "d", "live": null, "acta item": null}'),
    ('item.deleted', 'odd', '3,d', NULL);
"""


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[tuple[Database, Connection]]:
    async with await Database.open(database_url) as database:
        await prepare(database)
        async with database.connection() as connection:
            for script in (TABLES, LOG):
                for statement in script.split(";"):
                    if statement.strip():
                        await connection.execute(statement.encode())
            yield database, connection


async def model_of(connection: Connection) -> Model:
    model = await load_model(connection, schemas=["public"])
    kept = {name: entry for name, entry in model.collections.items() if not entry.system}
    return Model(model.version, kept)


async def differences(database: Database, connection: Connection) -> tuple[Difference, ...]:
    found = [entry async for entry in compare(database, await model_of(connection))]
    assert [entry.collection for entry in found] == ["odd"]
    assert found[0].differing == len(found[0].sample)
    return found[0].sample


async def test_equal(connection: tuple[Database, Connection]) -> None:
    assert await differences(*connection) == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("UPDATE odd SET live = 9 WHERE t = 1", Difference("1,a%2Cb%25", ("live",))),
        ("DELETE FROM odd WHERE t = 2", Difference("2,c", ("*",))),
        ("INSERT INTO odd VALUES (9, 'z')", Difference("9,z", ("*",))),
    ],
)
async def test_different(connection: tuple[Database, Connection], change: str, expected: Difference) -> None:
    database, own = connection
    await own.execute(change.encode())
    assert await differences(database, own) == (expected,)
