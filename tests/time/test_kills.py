"""SIGKILL in the middle of restores, undo and telling what others change: nothing is half-done or lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from domain.access.command import Command
from projections.database import Database
from projections.log.verify import verify
from tests.support.http import client
from tests.support.project import Project
from tests.support.server import acta, environment, running_server, start
from tests.support.waiting import until
from tests.time.test_external import slot_there, slots
from tests.time.test_in_place import library
from tests.time.test_into import later_changes, opened, target_url
from tests.time.test_undo import BOOKS

__all__ = ["slots", "target_url"]

# Counts the statements of a schema change also where they are rolled back. From one of them on it goes no
# further, until the client is gone.
NAPS = """
    create schema naps;
    create sequence naps.taken;
    create sequence naps.last start 1000000;
    do $$ begin
        execute format('alter database %I set client_connection_check_interval = 50', current_database());
    end $$;
    create function naps.take() returns event_trigger language plpgsql as $$ begin
        if nextval('naps.taken') >= (select last_value from naps.last) then perform pg_sleep(60); end if;
    end $$;
    create event trigger naps on ddl_command_end when tag in ('ALTER TABLE', 'CREATE TABLE', 'DROP TABLE')
        execute function naps.take();
"""


async def killed(url: str, happened: Callable[[], Awaitable[bool]], *arguments: str) -> None:
    """Start a command, and kill it as soon as something has happened."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments],
        env=environment(url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not await happened():
            assert process.poll() is None, "it had ended before"
            await asyncio.sleep(0.005)
    finally:
        process.kill()
        process.wait()


async def test_in_place(project: Project) -> None:
    await library(project)
    then, before = await project.now(), await project.everything()
    await later_changes(project)
    changed, events = await project.everything(), await project.now()
    await project.sql(NAPS)
    arguments = ("restore", "--to", str(then), "--in-place")
    assert acta(project.url, *arguments, "--dry-run").returncode == 0
    [(naps,)] = await project.sql("select last_value from naps.taken")
    assert naps > 4
    # The dry run comes first; both are in the midst of what would have been for good.
    for steps in (naps + 2, 2 * naps - 2):
        [(begin,)] = await project.sql("select last_value from naps.taken")
        await project.sql("select setval('naps.last', %s)", begin + steps)

        async def there(end: int = begin + steps) -> bool:
            return bool(await project.sql("select 1 from naps.taken where last_value >= %s", end))

        await killed(project.url, there, *arguments, "--yes")
        assert await project.everything() == changed
        assert await project.now() == events
    await project.sql("select setval('naps.last', 1000000)")
    assert acta(project.url, *arguments, "--yes").returncode == 0
    assert await project.everything() == before
    assert await project.differences() == []
    assert (await verify(project.database)).finding is None


async def test_into_a_database(project: Project, target_url: str) -> None:
    await library(project)
    await project.create("books", *({"title": f"More {n}", "author": 1} for n in range(500)))
    then, before = await project.now(), await project.everything()
    await later_changes(project)
    arguments = ("restore", "--to", str(then), "--into", url_of(target_url))
    steps = ("true", "tables is not null", "cardinality(done) > 0")
    async with await psycopg.AsyncConnection.connect(target_url, autocommit=True) as target:
        for step in steps:

            async def there(step: str = step) -> bool:
                found = await target.execute("select to_regclass('acta.restoring') is not null")
                if await found.fetchone() != (True,):
                    return False
                found = await target.execute(f"select from acta.restoring where {step}".encode())
                return await found.fetchone() is not None

            await killed(project.url, there, *arguments)
    done = acta(project.url, *arguments)
    assert done.returncode == 0, done.stderr
    async with opened(project, target_url) as restored:
        assert await restored.everything() == before
        assert await restored.differences() == []
        assert (await verify(restored.database)).finding is None
    with running_server(target_url) as server:
        async with client(server) as api:
            assert (await api.get("/items/books/1", fields="title,author.name")).data == {
                "title": "Book 0",
                "author": {"name": "Ann"},
            }


def url_of(conninfo: str) -> str:
    """The same place as a URL, which the command tells from a schema."""
    return f"postgresql:///?{urlencode(conninfo_to_dict(conninfo), quote_via=quote)}"


async def test_undo(project: Project) -> None:
    await library(project)
    before = await project.sql(BOOKS)
    command = Command.internal()
    await project.writer.update(
        command, project.store.current, "books", [str(n) for n in range(1, 10)], {"title": "Wrong"}
    )
    changed = await project.sql(BOOKS)
    server = start(project.url)
    try:
        async with client(server) as api, await project.database.dedicated() as other:
            async with other.transaction():
                # The last of the items keeps the undo waiting behind what it has done with the others.
                await other.execute("select from books where id = 9 for update")
                asking = asyncio.create_task(api.post("/utils/undo", {"request": str(command.request)}))
                await until(lambda: waiting(project.database))
                server.kill()
            with pytest.raises(Exception, match=r"disconnected|reset|closed"):
                await asking
    finally:
        if server.process.poll() is None:
            server.kill()
    assert await project.sql(BOOKS) == changed
    assert acta(project.url, "undo", "--request", str(command.request)).returncode == 0
    assert await project.sql(BOOKS) == before
    assert await project.differences() == []
    assert (await verify(project.database)).finding is None


@pytest.mark.usefixtures("slots")
async def test_changes_by_others(project: Project) -> None:
    await library(project)
    extra = {"EXTERNAL_CHANGES": "true"}
    with running_server(project.url, extra=extra) as server:
        await slot_there(project)
        for number in range(60):
            await project.sql(
                "with gone as (delete from books where id = %s and id < 10)"
                " insert into books (title) values ('By psql')",
                number,
            )
            if number == 40:
                server.kill()
    assert await project.differences() != []
    with running_server(project.url, extra=extra):
        await until(lambda: told(project), 60)
    counts = (
        "select meta ->> 'action', count(*), count(distinct item) from acta.events"
        " where topic = 'item.observed' group by 1 order by 1"
    )
    assert await project.sql(counts) == [("create", 60, 60), ("delete", 9, 9)]
    assert (await verify(project.database)).finding is None


async def told(project: Project) -> bool:
    return not await project.differences()


async def waiting(database: Database) -> bool:
    async with database.connection() as connection:
        found = await connection.execute(
            "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )
        rows: list[Any] = await found.fetchall()
    return bool(rows)
