"""What goes wrong around restores and changes by others: writers, full disks, crashes, greedy slots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from cli import main
from domain.access.command import Command
from projections.database import Database
from projections.log.verify import verify
from projections.time import decoding
from projections.time.in_place import Scope, restore
from projections.time.into import IntoDatabase
from tests.support.http import client
from tests.support.project import Project
from tests.support.server import running_server
from tests.time.test_external import OBSERVED, SLOTS, looking, slot_there, until_clean
from tests.time.test_in_place import library
from tests.time.test_into import cut, opened, quiet, target_url
from workers import external

__all__ = ["target_url"]


@pytest.fixture
async def slots(project: Project) -> AsyncIterator[None]:
    yield
    await project.sql(f"select pg_drop_replication_slot(slot_name) {SLOTS}".encode())


async def test_writers_go_on_while_a_database_is_filled(project: Project, target_url: str) -> None:
    await library(project)
    then, before = await project.now(), await project.everything()
    done = asyncio.Event()
    longest = written = 0.0

    async def writing() -> None:
        nonlocal longest, written
        clock = asyncio.get_running_loop().time
        while not done.is_set():
            began = clock()
            await project.update("books", 1 + int(written) % 9, {"title": f"Later {written}"})
            await project.create("books", {"title": "New", "author": 1})
            longest, written = max(longest, clock() - began), written + 1

    task = asyncio.create_task(writing())
    async with await Database.open(target_url) as target:
        moment = await cut(project, then)
        await IntoDatabase(project.database, target, moment, ("public",), quiet).run()
        assert (await verify(target)).finding is None
    done.set()
    await task
    assert written > 5
    # The restore itself took longer than any write beside it.
    assert longest < 10, longest
    async with opened(project, target_url) as restored:
        assert await restored.everything() == before


async def test_writers_wait_for_a_restore_in_place_and_are_not_lost(project: Project) -> None:
    await library(project)
    then = await project.now()
    await project.update("books", 1, {"title": "Later"})
    created: list[str] = []
    done = asyncio.Event()

    async def writing() -> None:
        while not done.is_set():
            created.extend(await project.create("books", {"title": "Beside", "author": 1}))

    tasks = [asyncio.create_task(writing()) for _ in range(3)]

    async def written(count: int) -> None:
        while len(created) < count:
            await asyncio.sleep(0.01)

    await written(10)
    moment = await cut(project, then)
    await restore(project.service, Command.internal(), moment, Scope())
    behind = len(created)
    await written(behind + 10)
    done.set()
    await asyncio.gather(*tasks)
    assert await project.sql("select title from books where id = 1") == [("Book 0",)]
    # What was written before it went back, what was written behind it stands.
    left = {str(row[0]) for row in await project.sql("select id from books where title = 'Beside'")}
    assert len(left) < len(created)
    assert set(created[behind + 3 :]) <= left
    assert await project.differences() == []
    assert (await verify(project.database)).finding is None


def test_a_full_disk_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full() -> None:
        raise psycopg.errors.DiskFull('could not extend file "base/1/2": No space left on device')

    monkeypatch.setattr(main, "app", full)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        'acta: the database refused: could not extend file "base/1/2": No space left on device\n'
    )


@pytest.mark.usefixtures("slots")
async def test_a_crash_behind_the_telling_tells_nothing_twice(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    await library(project)
    monkeypatch.setattr(external, "RETRY_SECONDS", 0.1)
    crashes = 0
    advance = decoding.advance

    async def crashing(*arguments: Any) -> None:
        nonlocal crashes
        if crashes < 3:
            crashes += 1
            raise psycopg.OperationalError("gone")
        await advance(*arguments)

    monkeypatch.setattr(decoding, "advance", crashing)
    async with looking(project):
        await slot_there(project)
        await asyncio.sleep(1)
        await project.sql("update books set title = 'By psql' where id < 4")
        await project.sql("delete from books where id = 5")
        await until_clean(project)
        while crashes < 3:
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
    told = await project.sql(OBSERVED)
    assert crashes == 3
    assert sorted((one[0], one[2]) for one in told) == [
        ("delete", "5"),
        ("update", "1"),
        ("update", "2"),
        ("update", "3"),
    ]


@pytest.mark.usefixtures("slots")
async def test_a_slot_that_keeps_too_much_is_given_up_and_made_up_for(project: Project) -> None:
    await library(project)
    kept = f"select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint {SLOTS}".encode()
    async with looking(project):
        await slot_there(project)
        await until_clean(project)
    await project.sql("update books set title = 'Unseen' where id = 1")
    for _ in range(8):
        await project.sql("select pg_logical_emit_message(false, 'much', repeat('x', 1000000))")
    ((before,),) = await project.sql(kept)
    assert before > 3_000_000
    extra = {"EXTERNAL_CHANGES": "true", "EXTERNAL_CHANGES_LIMIT": "3mb"}
    with running_server(project.url, "--no-followers", extra=extra) as server:
        async with client(server) as api:
            slot = (await api.get("/server/health")).body["checks"]["external:slot"][0]
            assert (slot["status"], slot["observedValue"] > 3_000_000) == ("warn", True)
    async with looking(project, limit=3_000_000):
        await until_clean(project)
    ((after,),) = await project.sql(kept)
    assert after < 3_000_000
    assert await project.sql(OBSERVED) == [("update", "books", "1", {"title": "Unseen"})]
