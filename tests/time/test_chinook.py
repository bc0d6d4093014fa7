"""Chinook lives at random; each remembered moment comes back, row for row."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from domain.access.command import Command
from domain.settings import Settings
from projections.database import Database
from projections.log.verify import verify
from projections.reading.reader import Reader
from projections.schema.service import SchemaService
from projections.tables.item_writer import ItemWriter
from projections.tables.store import ModelStore
from projections.time.in_place import Scope, restore
from projections.time.into import IntoDatabase
from projections.time.moments import cut_at
from tests.support.life import Life
from tests.support.project import Project, limits
from tests.support.samples import load, structure
from tests.support.server import acta
from tests.time.test_into import opened, quiet

CHANGES, MOMENTS = 240, 4


@pytest.fixture
async def chinook(database_url: str, postgres_programs: Path) -> AsyncIterator[Project]:
    load("chinook", database_url, postgres_programs)
    done = acta(database_url, "adopt", "--quiet")
    assert done.returncode == 0, done.stderr
    async with await Database.open(database_url, maximum=8) as database:
        store = await ModelStore.open(database)
        reader = Reader(database, limits())
        service = SchemaService(database, store, lock_timeout=2000)
        yield Project(
            database_url, database, store, service, reader, ItemWriter(database, reader, Settings.parse({}))
        )


@pytest.fixture
def targets(postgres_url: str, database_url: str) -> Iterator[list[str]]:
    names = [f"{database_url.rsplit('/', 1)[1]}_{number}" for number in range(MOMENTS)]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        try:
            yield [make_conninfo(postgres_url, dbname=name) for name in names]
        finally:
            for name in names:
                connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


async def test_remembered_moments_come_back(
    chinook: Project, targets: list[str], postgres_programs: Path
) -> None:
    life = Life(chinook, seed=7)
    remembered = []
    async for number in life.changes(CHANGES):
        if number % (CHANGES // MOMENTS) == 0:
            dumped = structure(chinook.url, postgres_programs)
            remembered += [(await chinook.now(), await chinook.everything(), dumped)]
    assert life.done["item"] > 200
    assert life.done["schema"] > 1
    assert await chinook.differences() == []
    for (position, then, dumped), url in zip(remembered[:-1], targets, strict=False):
        async with chinook.database.connection() as connection:
            cut = await cut_at(connection, position)
        async with await Database.open(url) as target:
            assert await IntoDatabase(chinook.database, target, cut, ["public"], quiet).run() == []
            assert (await verify(target)).finding is None
        async with opened(chinook, url) as restored:
            assert await restored.everything() == then
            assert await restored.differences() == []
        assert structure(url, postgres_programs) == dumped
    for position, then, dumped in remembered[-2::-2]:
        async with chinook.database.connection() as connection:
            cut = await cut_at(connection, position)
        await restore(chinook.service, Command.internal(), cut, Scope())
        assert await chinook.everything() == then
        assert await chinook.differences() == []
        assert structure(chinook.url, postgres_programs) == dumped
