"""An earlier state in a database or schema of its own; killed halfway; refused where something stands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from domain.access.command import Command
from domain.errors import ActaError
from projections.database import Database
from projections.log.verify import verify
from projections.schema.service import SchemaService
from projections.tables.store import ModelStore
from projections.time import into
from projections.time.beside import into_schema
from projections.time.into import IntoDatabase
from projections.time.moments import Cut, resolve
from tests.support.project import Project
from tests.time.test_in_place import library


@pytest.fixture
def target_url(postgres_url: str, prepared_url: str) -> Iterator[str]:
    name = "acta_into_" + prepared_url.rsplit("acta_copy_", 1)[1].split(maxsplit=1)[0]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        try:
            yield make_conninfo(postgres_url, dbname=name)
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def quiet(done: int, total: int, what: str) -> None:
    del done, total, what


async def cut(project: Project, position: int) -> Cut:
    async with project.database.connection() as connection:
        return await resolve(connection, position)


@asynccontextmanager
async def opened(project: Project, url: str) -> AsyncIterator[Project]:
    async with await Database.open(url) as database:
        store = await ModelStore.open(database)
        yield Project(url, database, store, SchemaService(database, store), project.reader, project.writer)


async def later_changes(project: Project) -> None:
    await project.delete("books", 1, 2)
    await project.update("authors", 1, {"name": "Other"})
    await project.create("authors", {"name": "Late"})
    command = Command.internal()
    await project.service.delete_field(command, "books", "title")
    await project.service.rename(command, {"collection": "books", "name": "tomes"})
    await project.collection("shelves", {"field": "place", "type": "string"})


async def test_a_database_is_what_it_was(project: Project, target_url: str) -> None:
    await project.sql("create type mood as enum ('good', 'bad')")
    await project.sql("create view names as select 1 as one")
    await library(project)
    await project.service.create_field(
        Command.internal(), "books", {"field": "pages", "type": "integer", "schema": {"default_value": 7}}
    )
    await project.sql(
        "insert into acta.events (seq, topic, collection, item, meta) overriding system value"
        " values (-5, 'past.activity', 'books', '1', '{\"action\": \"create\"}')"
    )
    then, before = await project.now(), await project.everything()
    await later_changes(project)
    root = (await verify(project.database)).root
    async with await Database.open(target_url) as target:
        missing = await IntoDatabase(
            project.database, target, await cut(project, then), ("public",), quiet
        ).run()
        assert missing == []
        assert (await verify(project.database)).root == root
        outcome = await verify(target)
        assert (outcome.position, outcome.finding) == (then, None)
        roots = "select root from acta.seals where last_position = %s"
        assert (await project.sql(roots, then))[0] == (await one(target, roots, then))
        assert await one(target, "select to_regclass('acta.restoring')") == (None,)
    async with opened(project, target_url) as restored:
        assert await restored.everything() == before
        assert await restored.differences() == []
        # Numbers go on behind those that were given out.
        model = restored.store.current
        assert "books" in model.collections
        assert await restored.sql("insert into books (title) values ('x') returning id") == [(10,)]
        assert await restored.sql("select one from names") == [(1,)]
        assert await restored.sql("select count(*) from acta.events where seq < 0") == [(1,)]


async def one(database: Database, statement: Any, *values: Any) -> Any:
    async with database.connection() as connection:
        return await (await connection.execute(statement, values or None)).fetchone()


async def test_a_killed_restore_goes_on(
    project: Project, target_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await library(project)
    then, before = await project.now(), await project.everything()
    await later_changes(project)
    moment = await cut(project, then)
    for step in ("note_tables", "import_events", "import_seals", "note_done", "finish"):
        statements = dict(into.SQL)
        broken = {**statements, step: sql.SQL("select 1/0")}
        monkeypatch.setattr(into, "SQL", broken)
        async with await Database.open(target_url) as target:
            with pytest.raises(psycopg.Error):
                await IntoDatabase(project.database, target, moment, ("public",), quiet).run()
        monkeypatch.setattr(into, "SQL", statements)
    async with await Database.open(target_url) as target:
        other = await cut(project, then - 1)
        with pytest.raises(ActaError, match="is under way"):
            await IntoDatabase(project.database, target, other, ("public",), quiet).run()
        await IntoDatabase(project.database, target, moment, ("public",), quiet).run()
        assert (await verify(target)).finding is None
        with pytest.raises(ActaError, match="isn't empty"):
            await IntoDatabase(project.database, target, moment, ("public",), quiet).run()
    async with opened(project, target_url) as restored:
        assert await restored.everything() == before


async def test_a_schema_beside(project: Project) -> None:
    await library(project)
    then = await project.now()
    before = await project.sql("select * from books order by id")
    await project.delete("books", 1, 2)
    await project.update("authors", 1, {"name": "Other"})
    assert await into_schema(project.database, await cut(project, then), "past", ("public",), quiet) == 2
    assert await project.sql("select * from past.books order by id") == before
    assert await project.sql("select name from past.authors where id = 1") == [("Ann",)]
    key = (
        "select pg_get_constraintdef(oid) from pg_constraint"
        " where contype = 'f' and connamespace = 'past'::regnamespace"
    )
    assert await project.sql(key) == [("FOREIGN KEY (author) REFERENCES past.authors(id)",)]
    assert await project.sql("insert into past.books (title) values ('x') returning id") == [(10,)]
    with pytest.raises(ActaError, match="already"):
        await into_schema(project.database, await cut(project, then), "past", ("public",), quiet)
    await project.service.delete_field(Command.internal(), "books", "title")
    await project.now()
    with pytest.raises(ActaError, match="database of its own"):
        await into_schema(project.database, await cut(project, then), "earlier", ("public",), quiet)
