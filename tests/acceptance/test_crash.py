"""Power cuts: the whole of Acta is killed again and again while sixteen writers work.

Every write that was acknowledged is in the table and in the log; none is in only one of them; positions have
neither gap nor duplicate. Writes that were cut off may be there or not, but never by half.

`ACTA_KILLS=200 .ci/test tests/acceptance/test_crash.py` is a long run.
"""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass, field

import aiohttp
import psycopg
import pytest

from tests.support.http import Client, client
from tests.support.server import acta, free_port, start

WRITERS = 16
KILLS = int(os.environ.get("ACTA_KILLS", "20"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(200 + 20 * KILLS)]

CUT_OFF = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass
class Acknowledged:
    """What the server has confirmed."""

    created: set[str] = field(default_factory=set)
    counters: dict[str, int] = field(default_factory=dict)


async def test_kill_under_writers(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE note (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), text text)")
        connection.execute("CREATE TABLE counter (id int PRIMARY KEY, value int NOT NULL)")
        connection.execute("INSERT INTO counter SELECT n, 0 FROM generate_series(1, 4) n")
    confirmed = Acknowledged()
    port = free_port()
    for _ in range(KILLS):
        server = start(database_url, port=port)
        async with client(server) as api:
            writers = [asyncio.create_task(write(api, number, confirmed)) for number in range(WRITERS)]
            await asyncio.sleep(random.uniform(0.1, 0.6))
            await asyncio.to_thread(server.kill)
            await asyncio.gather(*writers)
    final = start(database_url, port=port)
    async with client(final) as api:
        await wait_until_sealed(api, database_url)
    assert final.stop() == 0
    compare(database_url, confirmed)
    for command in (("rebuild", "--check"), ("verify",)):
        done = acta(database_url, *command)
        assert done.returncode == 0, done.stdout + done.stderr


async def write(api: Client, number: int, confirmed: Acknowledged) -> None:
    """Create notes and raise counters until the server is gone."""
    value = 0
    while True:
        try:
            created = await api.post("/items/note", {"text": f"from {number}"})
            assert created.status == 200, created.body
            confirmed.created.add(created.data["id"])
            value += 1
            counter = number % 4 + 1
            changed = await api.patch(f"/items/counter/{counter}", {"value": value})
            assert changed.status == 200, changed.body
            confirmed.counters[str(counter)] = confirmed.counters.get(str(counter), 0) + 1
        except CUT_OFF:
            return


async def wait_until_sealed(api: Client, database_url: str) -> None:
    """Write once more and wait until the sealer has reached that event."""
    last = (await api.post("/items/note", {"text": "last"})).data["id"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        for _ in range(600):
            sealed = connection.execute(
                "SELECT EXISTS"
                " (SELECT FROM acta.seals s, acta.events e WHERE e.item = %s AND e.seq <@ s.members)",
                (last,),
            ).fetchone()
            if sealed == (True,):
                return
            await asyncio.sleep(0.1)
    raise AssertionError("the last event was never sealed")


def compare(database_url: str, confirmed: Acknowledged) -> None:
    with psycopg.connect(database_url) as connection:
        rows = {str(entry[0]) for entry in connection.execute("SELECT id FROM note")}
        events = [
            entry[0] for entry in connection.execute("SELECT item FROM acta.events WHERE collection = 'note'")
        ]
        updates: dict[str, int] = dict(
            connection.execute(
                "SELECT item, count(*) FROM acta.events"
                " WHERE collection = 'counter' AND topic = 'item.updated' GROUP BY 1"
            )
        )
        broken = connection.execute(
            "SELECT count(*) FROM ("
            "SELECT first_position - lag(last_position, 1, 0::bigint) OVER (ORDER BY id) AS step"
            " FROM acta.seals WHERE last_position >= first_position) s WHERE step <> 1"
        ).fetchone()
        unsealed = connection.execute(
            "SELECT (SELECT count(*) FROM acta.events) - (SELECT max(last_position) FROM acta.seals)"
        ).fetchone()
    assert confirmed.created, "no write was ever confirmed"
    assert confirmed.created <= rows
    assert len(events) == len(set(events))
    assert set(events) == rows
    assert all(updates[counter] >= count for counter, count in confirmed.counters.items())
    assert broken == (0,)
    assert unsealed == (0,)
