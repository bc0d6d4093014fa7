"""Nothing is lost when broker and publisher are killed again and again under load."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import defaultdict

import pytest

from projections.database import Database
from tests.kafka.conftest import Stream, position
from tests.kafka.test_publisher import until_published
from tests.log.support import value, write
from tests.support.server import environment

EVENTS = 4000
PORTION = 50
ROUNDS = 3

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def worker(database_url: str, stream: Stream) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", "worker"],
        env=environment(database_url, stream.environment),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=os.getcwd(),
    )


async def load(database: Database) -> None:
    for _ in range(EVENTS // PORTION):
        await write(database, PORTION)
        await asyncio.sleep(0.05)


async def test_each_position_once_and_in_order(database: Database, database_url: str, stream: Stream) -> None:
    writing = asyncio.create_task(load(database))
    process = worker(database_url, stream)
    try:
        for _ in range(ROUNDS):
            await asyncio.sleep(1.5)
            await asyncio.to_thread(stream.broker.kill)
            await asyncio.sleep(0.5)
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = worker(database_url, stream)
            await asyncio.to_thread(stream.broker.start)
        await writing
        await until_published(database, EVENTS)
    finally:
        process.terminate()
        process.wait(30)
    records = await asyncio.to_thread(stream.records)
    # Transactions make it exactly once for whoever reads what is committed.
    assert sorted(map(position, records)) == list(range(1, EVENTS + 1))
    by_key = defaultdict(list)
    for record in records:
        by_key[record.key].append(position(record))
    assert all(found == sorted(found) for found in by_key.values())
    assert await value(database, "select count(*) from acta.parked") == 0
