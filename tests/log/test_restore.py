"""The log moves to another cluster, where transaction ids mean something else, and goes on there."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from cli.postgres.server import SUPERUSER, running
from projections.database import Database
from projections.log.prepare import prepare
from projections.log.verify import verify
from tests.conftest import WITHOUT_DURABILITY
from tests.log.support import (
    CREATE,
    TABLE,
    assert_all_sealed_once,
    assert_fold_equals_rows,
    assert_items_in_order,
    run,
    storm,
    value,
    write,
)
from workers import sealer


@pytest.fixture(scope="module")
def second_cluster() -> Iterator[str]:
    """Another cluster: other system identifier, other transaction ids."""
    folder = Path(tempfile.mkdtemp(prefix="acta-tests-"))
    try:
        folder.chmod(0o711)
        with running(folder, say=print, options=WITHOUT_DURABILITY, die_with_parent=True) as server:
            yield server.url(SUPERUSER)
    finally:
        shutil.rmtree(folder)


class Moving:
    """Dumps a database and restores it as a new one."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._number = 0

    async def dump(self, url: str) -> Path:
        self._number += 1
        target = self._folder / f"{self._number}.dump"
        await self._run("pg_dump", "--format=custom", f"--file={target}", url)
        return target

    async def restore(self, dump: Path, server: str) -> str:
        name = f"moved_{dump.stem}"
        url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )
            connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        await self._run("pg_restore", "--exit-on-error", f"--dbname={url}", str(dump))
        return url

    async def _run(self, program: str, *arguments: str) -> None:
        done = await asyncio.to_thread(
            subprocess.run, [str(self._programs / program), *arguments], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture
def moving(postgres_programs: Path, tmp_path: Path) -> Moving:
    return Moving(postgres_programs, tmp_path)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    async with await Database.open(url, maximum=20) as database:
        yield database


async def burn(database: Database, until: int) -> None:
    """Use up transaction ids of a cluster."""
    await run(
        database,
        """
        do $$ begin
            while pg_current_xact_id()::text::bigint < %(until)s loop commit; end loop;
        end $$
        """.replace("%(until)s", str(until)),
    )


async def next_xid(database: Database) -> int:
    return int(await value(database, "select pg_current_xact_id()::text"))


async def work(database: Database, seed: int) -> None:
    """Writers and a sealer beside each other, as while serving."""
    stop = asyncio.Event()
    sealing = asyncio.create_task(sealer.run(database, stop))
    await storm(database, writers=6, transactions=25, items=8, seed=seed)
    stop.set()
    await sealing


async def assert_sound(database: Database) -> None:
    await assert_all_sealed_once(database)
    await assert_items_in_order(database)
    await assert_fold_equals_rows(database)
    assert (await verify(database)).finding is None


async def test_a_log_goes_on_in_another_cluster(
    database: Database, database_url: str, second_cluster: str, postgres_url: str, moving: Moving
) -> None:
    await run(database, TABLE)
    for item in range(8):
        await run(database, CREATE, id=item, text=None)
    async with opened(second_cluster) as other:
        here, there = await next_xid(database), await next_xid(other)
    # The old cluster is far ahead, so that the new one will meet the same ids again.
    await burn(database, max(here, there + 3000))
    await work(database, seed=1)
    await write(database, 5, "unsealed")
    moved = await moving.restore(await moving.dump(database_url), second_cluster)

    async with opened(moved) as other:
        assert await next_xid(other) < await next_xid(database)
        await prepare(other)
        await assert_sound(other)
        assert await value(other, "select count(distinct system_identifier) from acta.seals") == 2
        await work(other, seed=2)
        await burn(other, await next_xid(database) + 10)
        await work(other, seed=3)
        await assert_sound(other)
        await write(other, 5, "unsealed again")
        back = await moving.restore(await moving.dump(moved), postgres_url)

    async with opened(back) as home:
        await prepare(home)
        await work(home, seed=4)
        await assert_sound(home)
        epochs = (
            "select count(*) from acta.seals s where floor > 0 and system_identifier is distinct from "
            "(select system_identifier from acta.seals p where p.id = s.id - 1)"
        )
        assert await value(home, epochs) == 2
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("drop database {} with (force)").format(sql.Identifier(urlsplit(back).path[1:]))
        )


async def test_dumps_taken_while_writers_and_the_sealer_run(
    database: Database, database_url: str, second_cluster: str, moving: Moving
) -> None:
    await run(database, TABLE)
    for item in range(8):
        await run(database, CREATE, id=item, text=None)
    working = asyncio.create_task(work(database, seed=5))
    dumps = []
    while not working.done():
        dumps.append(await moving.dump(database_url))
    await working
    for dump in dumps[:4]:
        async with opened(await moving.restore(dump, second_cluster)) as other:
            await prepare(other)
            await work(other, seed=6)
            await assert_sound(other)


async def test_a_copy_in_the_same_cluster_goes_on_too(
    database: Database, database_url: str, postgres_url: str, moving: Moving
) -> None:
    await run(database, TABLE)
    for item in range(8):
        await run(database, CREATE, id=item, text=None)
    await work(database, seed=7)
    await write(database, 5, "unsealed")
    copy = await moving.restore(await moving.dump(database_url), postgres_url)
    async with opened(copy) as other:
        await prepare(other)
        await work(other, seed=8)
        await assert_sound(other)
        assert await value(other, "select count(*) from acta.seals where floor > 0 and members = '{}'") == 0
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("drop database {} with (force)").format(sql.Identifier(urlsplit(copy).path[1:]))
        )
