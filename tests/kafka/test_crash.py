"""Nothing is lost when broker and publisher are killed again and again under load.

A small run; a long one: ``ACTA_KAFKA_EVENTS=200000 .ci/test tests/kafka/test_crash.py``.
"""

import asyncio
import logging
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

log = logging.getLogger(__name__)
EVENTS = int(os.environ.get("ACTA_KAFKA_EVENTS", "4000"))
PORTION = 50
ROUNDS = 3
# Between two kills; they go on while events come.
PAUSE_SECONDS = max(1.5, EVENTS / 20_000)
CONSOLE = "org.apache.kafka.tools.consumer.ConsoleConsumer"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300 + EVENTS // 100),
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


def console(stream: Stream) -> dict[str, list[int]]:
    """Positions by key as Java's console tool shows them to somebody who reads what is committed."""
    arguments = ["--bootstrap-server", stream.broker.address, "--topic", f"{stream.prefix}.things"]
    arguments += ["--from-beginning", "--max-messages", str(EVENTS), "--timeout-ms", "60000"]
    arguments += ["--isolation-level", "read_committed"]
    shown = {"key": "true", "headers": "true", "value": "false"}
    arguments += [f"--property=print.{name}={wanted}" for name, wanted in shown.items()]
    found: dict[str, list[int]] = defaultdict(list)
    for line in stream.broker.tool(CONSOLE, *arguments, seconds=120 + EVENTS / 100).splitlines():
        headers, key = line.split("\t")
        found[key].append(int(headers.partition("position:")[2].partition(",")[0]))
    return found


async def test_each_position_once_and_in_order(database: Database, database_url: str, stream: Stream) -> None:
    writing = asyncio.create_task(load(database))
    process = worker(database_url, stream)
    try:
        rounds = 0
        while rounds < ROUNDS or not writing.done():
            rounds += 1
            await asyncio.sleep(PAUSE_SECONDS)
            await asyncio.to_thread(stream.broker.kill)
            await asyncio.sleep(0.5)
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = worker(database_url, stream)
            await asyncio.to_thread(stream.broker.start)
        await writing
        await until_published(database, EVENTS, 60 + EVENTS / 1000)
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
    shown = await asyncio.to_thread(console, stream)
    assert shown == {key.decode(): found for key, found in by_key.items()}
    # Whoever reads everything sees positions of transactions that were cut off, and those again, no others.
    careless = await asyncio.to_thread(stream.records, isolation="read_uncommitted")
    assert {position(record) for record in careless} == set(range(1, EVENTS + 1))
    log.info("%s events, %s kills, %s careless duplicates", EVENTS, rounds, len(careless) - len(records))
    assert await value(database, "select count(*) from acta.parked") == 0
