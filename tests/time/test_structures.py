"""Changes of the structure by SQL: told once, by whom, and taken back by restores like any others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from domain.access.command import Command
from domain.settings import Settings
from projections.database import Database
from projections.log.verify import verify
from projections.prepare import prepare
from projections.reading.reader import Reader
from projections.schema.service import SchemaService
from projections.tables.item_writer import ItemWriter
from projections.tables.store import ModelStore
from projections.time.in_place import Scope, restore
from projections.time.moments import resolve
from projections.time.structures import observe_structures
from projections.time.undo import Asked, Undo
from tests.support.project import Project, limits
from tests.support.server import acta
from tests.time.test_external import SLOTS, looking, slot_there
from tests.time.test_in_place import library

TOLD = (
    "select topic, collection, item from acta.events where meta ->> 'found' = 'catalog'"
    " and topic not like 'item.%' order by seq"
)


async def looked(project: Project) -> int:
    return await observe_structures(project.database, project.store, "public")


async def test_what_sql_does_to_structures_is_told_once(project: Project) -> None:
    await library(project)
    assert await looked(project) == 0
    assert await looked(project) == 0
    # Ours tell themselves.
    command = Command.internal()
    await project.service.create_field(command, "books", {"field": "pages", "type": "integer"})
    await project.collection("shelves", {"field": "place", "type": "string"})
    await project.create("shelves", {"place": "left"})
    assert await looked(project) == 0
    await project.sql("alter table books add column isbn text not null default 'none'")
    await project.sql("alter table books rename column title to heading")
    await project.sql("alter table books drop column pages")
    await project.sql("alter table authors alter column name type text, alter column name set not null")
    await project.sql("alter table authors add constraint short check (length(name) < 100)")
    await project.sql("create table cats (id int primary key, name text)")
    await project.sql("insert into cats values (1, 'Tom')")
    await project.sql("drop table shelves")
    assert await looked(project) == 4
    assert sorted(await project.sql(TOLD)) == [
        ("collection.created", "cats", "cats"),
        ("collection.deleted", "shelves", "shelves"),
        ("field.created", "books", "isbn"),
        ("field.deleted", "books", "pages"),
        ("field.renamed", "books", "title"),
        ("field.updated", "authors", "name"),
    ]
    assert await looked(project) == 0
    assert await project.differences() == []
    await project.sql("alter table cats rename to felines")
    await project.sql("create index on felines (name)")
    await project.sql("insert into felines select n, 'Cat ' || n from generate_series(2, 500) as n")
    assert await looked(project) == 1
    assert (await project.sql(TOLD))[-2:] == [
        ("collection.renamed", "cats", "cats"),
        ("collection.created", "felines", "felines"),
    ]
    assert await looked(project) == 0
    assert await project.differences() == []


async def test_restores_take_it_back(project: Project) -> None:
    await library(project)
    await looked(project)
    then, before = await project.now(), await project.everything()
    await project.sql("alter table books drop column title, add column pages int default 7")
    await project.sql("alter table authors rename column name to called")
    await project.sql("alter table authors alter column called type text")
    await looked(project)
    await project.sql("drop table books")
    await project.sql("create table cats (id int primary key, name text)")
    await looked(project)
    assert "books" not in (await project.everything())
    async with project.database.connection() as connection:
        cut = await resolve(connection, then)
    await restore(project.service, Command.internal(), cut, Scope())
    assert await project.everything() == before
    assert await project.differences() == []
    # The restore's own changes are ours.
    assert await looked(project) == 0


async def test_undo_takes_it_back(project: Project) -> None:
    await library(project)
    await looked(project)
    before = await project.everything()
    await project.sql("alter table books drop column title")
    await looked(project)
    ((activity,),) = await project.sql("select seq from acta.events where topic = 'field.deleted'")
    undo = Undo(project.database, project.store, project.reader, project.service)
    await undo.undo(Command.internal(), Asked(activity=activity))
    assert await project.everything() == before


async def test_tables_are_told_of_once_they_are_adopted(project: Project) -> None:
    await project.sql("create table raw (id int primary key, name text)")
    await project.sql("create table rawer (id int primary key)")
    await project.sql("insert into raw values (1, 'one')")
    await project.store.refresh()
    assert await looked(project) == 0
    await project.sql("alter table raw add column more int")
    assert await looked(project) == 0
    assert acta(project.url, "adopt", "--quiet").returncode == 0
    await project.sql("alter table raw drop column name")
    await project.sql("drop table rawer")
    assert await looked(project) == 2
    assert sorted(await project.sql(TOLD)) == [
        ("collection.deleted", "rawer", "rawer"),
        ("field.deleted", "raw", "name"),
    ]


async def test_the_command_tells_it_too(project: Project) -> None:
    await library(project)
    assert acta(project.url, "reconcile").stderr == "acta: log and tables tell the same\n"
    await project.sql("alter table books drop column title")
    done = acta(project.url, "reconcile")
    assert done.stderr.startswith("acta: the structure of 1 tables was changed by others\n")
    assert await project.sql(TOLD) == [("field.deleted", "books", "title")]


@pytest.fixture
def anna(project: Project) -> Iterator[str]:
    """A user of the database who may change the books; the URL to connect as such."""
    name = f"anna_{uuid4().hex[:8]}"
    role = sql.Identifier(name)
    with psycopg.connect(project.url, autocommit=True) as connection:
        connection.execute(sql.SQL("create role {} login").format(role))
    # Nobody else's session is there meanwhile: who did what could not be told.
    yield make_conninfo(project.url, user=name, application_name="psql")
    with psycopg.connect(project.url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop owned by {}").format(role))
        connection.execute(sql.SQL("drop role {}").format(role))


@pytest.mark.usefixtures("slots")
async def test_users_of_the_database_are_named_in_time(project: Project, anna: str) -> None:
    await library(project)
    name = psycopg.conninfo.conninfo_to_dict(anna)["user"]
    await project.sql(sql.SQL("alter table books owner to {}").format(sql.Identifier(str(name))))
    told = "select topic, item from acta.events where meta ->> 'user' = %s order by seq"
    async with looking(project):
        await slot_there(project)
        await asyncio.sleep(1)
        async with await psycopg.AsyncConnection.connect(anna, autocommit=True) as session:
            for statement, topic in (
                ("update books set title = 'By Anna' where id = 1", "item.observed"),
                ("alter table books add column isbn text", "field.created"),
                ("delete from books where id = 2", "item.observed"),
                ("alter table books drop column isbn", "field.deleted"),
            ):
                before = await project.sql(told, name)
                await session.execute(statement.encode())
                began = asyncio.get_running_loop().time()
                while await project.sql(told, name) == before:
                    # Two seconds are the promise; a busy machine gets more.
                    assert asyncio.get_running_loop().time() - began < 25
                    await asyncio.sleep(0.05)
                assert (await project.sql(told, name))[-1][0] == topic


@pytest.fixture
async def slots(project: Project) -> AsyncIterator[None]:
    yield
    await project.sql(f"select pg_drop_replication_slot(slot_name) {SLOTS}".encode())


@pytest.fixture
async def plain(database_url: str) -> AsyncIterator[Project]:
    """A project whose user may replicate, and is no superuser."""
    name = f"plain_{uuid4().hex[:8]}"
    role = sql.Identifier(name)
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(sql.SQL("create role {} login replication").format(role))
        database_name = sql.Identifier(admin.info.dbname)
        admin.execute(sql.SQL("alter database {} owner to {}").format(database_name, role))
        admin.execute(sql.SQL("alter schema public owner to {}").format(role))
        try:
            url = make_conninfo(database_url, user=name)
            async with await Database.open(url, maximum=8) as database:
                await prepare(database)
                store = await ModelStore.open(database)
                reader = Reader(database, limits())
                service = SchemaService(database, store, lock_timeout=2000)
                writer = ItemWriter(database, reader, Settings.parse({}))
                yield Project(url, database, store, service, reader, writer)
        finally:
            admin.execute(f"select pg_drop_replication_slot(slot_name) {SLOTS}".encode())
            admin.execute(sql.SQL("alter database {} owner to current_user").format(database_name))
            admin.execute(sql.SQL("reassign owned by {} to current_user").format(role))
            admin.execute(sql.SQL("drop owned by {}").format(role))
            admin.execute(sql.SQL("drop role {}").format(role))


async def test_others_and_we_at_once_without_superuser(plain: Project, database_url: str) -> None:
    """A psql session, a COPY of 100,000 rows and our own writes: the log tells all of it."""
    await library(plain)
    async with looking(plain):
        await slot_there(plain)

        async def ours() -> None:
            for number in range(60):
                await plain.update("books", 1 + number % 4, {"title": f"Ours {number}"})
                await plain.create("books", {"title": f"New {number}", "author": 1})

        async def session() -> None:
            async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as psql:
                for number in range(60):
                    await psql.execute(
                        "update books set author = %s where id between 3 and 6", (1 + number % 3,)
                    )
                    await psql.execute("delete from books where id = %s", (100 + number,))
                    await asyncio.sleep(0.02)

        async def copied() -> None:
            async with (
                await psycopg.AsyncConnection.connect(database_url, autocommit=True) as psql,
                psql.cursor().copy("copy books (id, title, author) from stdin") as rows,
            ):
                for number in range(100_000):
                    await rows.write_row((10_000 + number, f"Copied {number}", 1 + number % 3))

        await asyncio.gather(ours(), session(), copied())
        for _ in range(600):
            if not await plain.differences():
                break
            await asyncio.sleep(0.2)
    done = acta(plain.url, "rebuild", "--check")
    assert done.returncode == 0, done.stderr
    assert (await verify(plain.database)).finding is None
    count: list[tuple[Any, ...]] = await plain.sql(
        "select count(*), count(distinct item) from acta.events"
        " where topic = 'item.observed' and item::int >= 10000"
    )
    assert count == [(100_000, 100_000)]
