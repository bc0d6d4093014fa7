"""What others do to the tables gets into the log: once, whole, also after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from projections.time.reconcile import observable, reconcile
from tests.support.project import Project
from tests.support.server import acta
from tests.support.waiting import until
from tests.time.test_in_place import library
from workers.external import External
from workers.leadership import Leadership

SLOTS = "from pg_replication_slots where database = current_database()"
OBSERVED = (
    "select meta ->> 'action', collection, item, payload from acta.events"
    " where topic = 'item.observed' order by seq"
)


@asynccontextmanager
async def looking(project: Project, limit: int = 2**30) -> AsyncIterator[External]:
    stop, leadership = asyncio.Event(), Leadership(project.database)
    external = External(project.database, ["public"], [], limit)
    task = asyncio.create_task(external.run(stop, leadership))
    watch = asyncio.create_task(leadership.watch(stop))
    try:
        yield external
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(task, watch), 60)


@pytest.fixture
async def slots(project: Project) -> AsyncIterator[None]:
    yield
    await project.sql(f"select pg_drop_replication_slot(slot_name) {SLOTS}".encode())


async def until_clean(project: Project) -> None:
    for _ in range(600):
        if not await project.differences():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(await project.differences())


async def slot_there(project: Project) -> None:
    async def found() -> bool:
        return bool((await project.sql(f"select count(*) {SLOTS}".encode()))[0][0])

    await until(found)


async def settled(project: Project) -> list[Any]:
    before: list[Any] = [None]
    for _ in range(50):
        now = await project.sql(OBSERVED)
        if now == before:
            return now
        before = now
        await asyncio.sleep(1.2)
    raise AssertionError("never quiet")


@pytest.mark.usefixtures("slots")
async def test_everything_that_sql_does_is_told_once(project: Project) -> None:
    await library(project)
    async with looking(project):
        await slot_there(project)
        await project.sql("update books set title = 'By psql' where id = 1")
        await project.sql("insert into authors (name) values ('Psql')")
        await project.sql("delete from books where id = 2")
        await project.sql("update authors set id = 77 where name = 'Psql'")
        await project.update("books", 3, {"title": "Ours"})
        await until_clean(project)
        told = await settled(project)
    assert ("update", "books", "1", {"title": "By psql"}) in told
    assert ("delete", "books", "2", None) in told
    assert ("create", "authors", "77", {"id": 77, "name": "Psql"}) in told
    # Ours was not told again, nor anything twice.
    assert not [one for one in told if one[2] == "3"]
    assert len(told) <= 5
    assert len({(one[0], one[2]) for one in told}) == len(told)


@pytest.mark.usefixtures("slots")
async def test_copy_truncate_and_what_happens_while_nobody_looks(project: Project) -> None:
    await library(project)
    async with looking(project):
        await slot_there(project)
        await until_clean(project)
    await project.sql("insert into books (title) select 'Copied ' || n from generate_series(1, 3000) as n")
    async with looking(project):
        for number in range(20):
            await project.create("books", {"title": f"Ours {number}"})
        await until_clean(project)
        await project.sql("truncate books")
        await until_clean(project)
    assert (await project.sql("select count(*) from acta.events where topic = 'item.observed'"))[0][
        0
    ] == 3000 + 3029


@pytest.mark.usefixtures("slots")
async def test_a_lost_slot_is_made_up_for(project: Project) -> None:
    await library(project)
    async with looking(project) as external:
        await slot_there(project)
        slot = external.slot
    await project.sql("update books set title = 'Unseen' where id = 1")
    await project.sql("select pg_drop_replication_slot(%s)", slot)
    async with looking(project):
        await until_clean(project)
    assert await project.sql(OBSERVED) == [("update", "books", "1", {"title": "Unseen"})]


async def test_reconcile_as_a_command(project: Project) -> None:
    await library(project)
    await project.sql("create table raw (id int primary key)")
    await project.sql("insert into raw values (1)")
    await project.sql("update books set title = 'By psql' where id = 1")
    await project.sql("delete from books where id = 2")
    done = acta(project.url, "reconcile")
    assert (done.returncode, done.stdout) == (0, "books: 2\n")
    assert acta(project.url, "reconcile").stdout == ""
    assert [row for row in await project.differences() if not row.startswith("raw")] == []
    # What is not adopted is left to adoption.
    assert await project.sql("select count(*) from acta.events where collection = 'raw'") == [(0,)]


async def test_both_at_once(project: Project) -> None:
    await library(project)
    model = project.store.current
    async with project.database.connection() as connection:
        entries = [entry for entry in await observable(connection, model) if entry.name == "books"]
    await project.sql("update books set title = 'By psql'")

    async def ours() -> None:
        for number in range(30):
            await project.update("books", 1 + number % 9, {"title": f"Ours {number}"})

    told, *_ = await asyncio.gather(reconcile(project.database, entries[0]), ours(), ours())
    assert told <= 9
    await reconcile(project.database, entries[0])
    assert await project.differences() == []
