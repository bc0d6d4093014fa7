"""The follower of flows reads events only when there is a flow that listens."""

import json
from collections.abc import AsyncIterator

import pytest

from projections.database import Database
from projections.log import positions
from projections.log.seal import Sealer
from tests.log.support import CREATE, TABLE, run, value
from workers.flows.beginning import FlowFollower
from workers.follower import register

POSITION = "select position from acta.cursors where name = 'flows'"
FLOW = """
    insert into acta.directus_flows (id, name, status, trigger, options)
    values (gen_random_uuid(), 'watch', 'active', 'event', %(options)s)
"""
LISTENING = {"type": "action", "scope": ["items.create"], "collections": ["notes"]}


async def write(database: Database, first: int, number: int) -> None:
    for item in range(first, first + number):
        await run(database, CREATE, id=item, text="a")
    async with await database.dedicated() as connection:
        sealer = await Sealer.try_open(connection)
        assert sealer is not None
        await sealer.seal()


@pytest.fixture
async def database(prepared_url: str) -> AsyncIterator[Database]:
    async with await Database.open(prepared_url, application="acta-tests") as database:
        yield database


async def test_no_event_is_read_when_no_flow_listens(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    read = positions.read

    async def counted(*arguments: object) -> object:
        nonlocal reads
        reads += 1
        return await read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(positions, "read", counted)
    follower = FlowFollower()
    await run(database, TABLE)
    await write(database, 1, 1)
    # What happened before the first process that runs flows is not passed over.
    await register(follower, database)
    begin = await value(database, POSITION)
    await write(database, 2, 29)
    assert await follower.step(database, 10) == 30
    assert (reads, await value(database, POSITION)) == (0, begin + 30)
    await run(database, FLOW, options=json.dumps(LISTENING))
    await write(database, 32, 30)
    assert await follower.step(database, 10) == 10
    assert (reads, await value(database, POSITION)) == (1, begin + 40)
