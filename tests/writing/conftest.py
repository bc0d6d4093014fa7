"""A database with the log, the system collections and a few tables of a user's, and a writer on it."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from domain.access.caller import Caller
from domain.access.command import Command
from domain.access.rights import ADMINISTRATOR
from domain.model import Model
from domain.query.limits import QueryLimits
from domain.settings import QuerySettings, Settings
from projections.database import Database
from projections.log import prepare as log
from projections.reading.reader import Reader
from projections.system import prepare as system
from projections.tables.item_writer import ItemWriter
from tests.support.writing import NESTED_RELATIONS, NESTED_TABLES, SCHEMA, USER, Bench


@pytest.fixture
def settings() -> Settings:
    return Settings(query=QuerySettings())


@pytest.fixture
async def bench(database_url: str, settings: Settings) -> AsyncIterator[Bench]:
    async with await Database.open(database_url, minimum=2, maximum=12, application="acta-tests") as database:
        await log.prepare(database)
        await system.prepare(database)
        writer = ItemWriter(database, Reader(database, QueryLimits()), settings)
        command = Command(Caller(user=USER, admin=True), ADMINISTRATOR, uuid4())
        bench = Bench(database, writer, Model(0, {}), command)
        await bench.define(SCHEMA)
        yield bench


@pytest.fixture
async def nested(bench: Bench) -> Bench:
    """The bench with relations of every kind."""
    await bench.define(NESTED_TABLES, *NESTED_RELATIONS)
    bench.special("texts", "id", "uuid")
    return bench
