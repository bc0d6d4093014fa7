"""The worker as a whole: prepares, seals, follows and ends when told to."""

import asyncio
import os
import signal
import sys

import pytest

from domain.errors import ServiceUnavailable
from domain.settings import Settings
from projections.database import Database
from tests.log.support import CREATE, TABLE, UPDATE, assert_all_sealed_once, run, value, write
from workers.main import run as run_worker


async def test_a_worker_prepares_seals_and_follows(database_url: str) -> None:
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(Settings.parse({"DATABASE_URL": database_url}), stop))
    async with await Database.open(database_url) as database:
        while not await value(database, "select to_regclass('acta.seals') is not null"):
            await asyncio.sleep(0.02)
        await run(database, TABLE)
        await run(database, CREATE, id=1, text="a")
        for number in range(120):
            await run(database, UPDATE, id=1, text=str(number))
        while not await value(database, "select count(*) from acta.snapshots"):
            await asyncio.sleep(0.05)
        stop.set()
        await asyncio.wait_for(working, 60)
        await assert_all_sealed_once(database)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_after_sealing(database: Database, database_url: str, number: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, database_url, cwd=os.getcwd(), stderr=asyncio.subprocess.PIPE
    )
    while not await value(database, "select count(*) from acta.cursors where name = 'snapshots'"):
        await asyncio.sleep(0.05)
    await write(database, 100)
    process.send_signal(number)
    _, complaints = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, complaints) == (0, b"")
    await assert_all_sealed_once(database)


WORKER = """
import asyncio, sys
from domain.settings import Settings
from workers.main import run
asyncio.run(run(Settings.parse({"DATABASE_URL": sys.argv[1]})))
"""


async def test_no_database_is_told_at_once() -> None:
    with pytest.raises(ServiceUnavailable):
        await run_worker(
            Settings.parse({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}), asyncio.Event()
        )
