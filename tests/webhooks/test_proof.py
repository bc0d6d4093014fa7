"""Everything arrives, in each item's order, at a receiver that fails at random and is killed twice.

A small run; a long one: ``ACTA_WEBHOOK_DELIVERIES=10000 .ci/test tests/webhooks/test_proof.py``.
"""

import asyncio
import logging
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.lifetime import ending_with_parent
from tests.support.http import Client
from tests.support.server import Server, free_port, running_server
from tests.webhooks.conftest import SECRET, SETTINGS, deliveries, make

DELIVERIES = int(os.environ.get("ACTA_WEBHOOK_DELIVERIES", "500"))
EVENTS_OF_AN_ITEM = 10
# A receiver that was long in coming back finds pauses that have doubled ever since.
SECONDS = 240 + DELIVERIES / 20
PORTION = 500

log = logging.getLogger(__name__)
pytestmark = [pytest.mark.timeout(SECONDS * 2)]


@pytest.fixture(scope="module")
def server(served_url: str) -> Iterator[Server]:
    hurried = {"WEBHOOKS_TIMEOUT": "1", "WEBHOOKS_ATTEMPTS": "20", "WEBHOOKS_FIRST_RETRY": "0.05"}
    with running_server(served_url, extra={**SETTINGS, **hurried}) as running:
        yield running


def receiver(port: int, file: Path, seed: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.webhooks.flaky", str(port), str(file), SECRET, str(seed)],
        stdin=subprocess.DEVNULL,
        preexec_fn=ending_with_parent(),  # noqa: PLW1509 (no other thread matters)
    )


async def load(api: Client) -> None:
    """All items, and then changes of all of them, in portions."""
    items = DELIVERIES // EVENTS_OF_AN_ITEM
    keys: list[int] = []
    for first in range(0, items, PORTION):
        rows = [{"num": 0} for _ in range(min(PORTION, items - first))]
        keys += [row["id"] for row in (await api.post("/items/notes", rows)).data]
    for number in range(1, EVENTS_OF_AN_ITEM):
        for first in range(0, items, PORTION):
            body = {"keys": keys[first : first + PORTION], "data": {"num": number}}
            assert (await api.patch("/items/notes", body)).status == 200


def arrived(file: Path) -> list[str]:
    # The last line of a process that was killed may be half a line.
    return (
        [line for line in file.read_text().splitlines(True) if line.endswith("\n")] if file.exists() else []
    )


async def test_everything_arrives_in_order(api: Client, tmp_path: Path) -> None:
    file, port = tmp_path / "arrived", free_port()
    webhook = await make(api, f"http://127.0.0.1:{port}/", secret=SECRET, collections=["notes"])
    process = receiver(port, file, 1)
    began, kills = time.monotonic(), 0
    loading = asyncio.create_task(load(api))
    try:
        while len(arrived(file)) < DELIVERIES:
            await asyncio.sleep(0.2)
            assert time.monotonic() - began < SECONDS, f"{len(arrived(file))} arrived"
            if kills < 2 and len(arrived(file)) > DELIVERIES * (kills + 1) / 3:
                kills += 1
                process.kill()
                process.wait()
                await asyncio.sleep(0.2)
                process = receiver(port, file, kills + 1)
        await loading
        took = time.monotonic() - began
        while await deliveries(api, webhook, status="waiting", limit="1"):
            await asyncio.sleep(0.2)
    finally:
        process.kill()
        process.wait()
    assert kills == 2
    lines = arrived(file)
    log.info("%s deliveries, %s of them twice, in %.0f s", len(lines), len(lines) - len(set(lines)), took)
    assert not [line for line in lines if line.startswith("unverified")]
    by_item = defaultdict(list)
    for line in lines:
        item, position = map(int, line.split())
        by_item[item].append(position)
    assert len(set(lines)) == DELIVERIES
    assert all(found == sorted(found) for found in by_item.values())
    assert {len(set(found)) for found in by_item.values()} == {EVENTS_OF_AN_ITEM}
    for status in ("blocked", "dead"):
        assert await deliveries(api, webhook, status=status) == []
