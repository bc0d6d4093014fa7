"""Snapshots: one at each hundredth event of an item, equal to the fold."""

import random

import pytest

from projections.database import Database
from projections.log.seal import Sealer
from projections.log.snapshots import EVERY
from tests.log.support import CREATE, DELETE, TABLE, UPDATE, rows, run, value
from workers.snapshots import Snapshots

WRONG = """
    select count(*) from acta.snapshots s where state is distinct from (
        select acta.fold(payload order by seq) from acta.events e
        where e.item = s.item and e.seq <= s.seq and e.seq >= (
            select max(c.seq) from acta.events c
            where c.item = s.item and c.seq <= s.seq and (c.topic = 'item.created' or c.payload is null)
        )
    )
"""


async def take(database: Database) -> None:
    async with await database.dedicated() as connection:
        sealer = await Sealer.try_open(connection)
        assert sealer is not None
        await sealer.seal()
    await run(database, "insert into acta.cursors (name) values ('snapshots') on conflict do nothing")
    while await Snapshots().step(database, Snapshots.batch):
        pass


async def update(database: Database, item: int, times: int) -> None:
    async with database.transaction() as connection:
        for number in range(times):
            await connection.execute(UPDATE, {"id": item, "text": f"text {number}"})


@pytest.mark.parametrize("portion", [30, 100, 350])
async def test_one_each_hundred_events(database: Database, portion: int) -> None:
    await run(database, TABLE)
    await run(database, CREATE, id=1, text="a")
    await run(database, CREATE, id=2, text="b")
    for _ in range(0, 1050, portion):
        await update(database, 1, portion)
        await take(database)
    await update(database, 2, EVERY - 2)
    await take(database)
    events = await value(database, "select count(*) from acta.events where item = '1'")
    assert await value(database, "select count(*) from acta.snapshots where item = '1'") == events // EVERY
    assert await value(database, "select count(*) from acta.snapshots where item = '2'") == 0
    await update(database, 2, 2)
    await take(database)
    assert await rows(database, "select item, state->>'text' from acta.snapshots where item = '2'") == [
        ("2", "text 0")
    ]
    assert await value(database, WRONG) == 0


async def test_items_that_change_one_event_at_a_time(database: Database) -> None:
    await run(database, TABLE)
    await run(database, CREATE, id=1, text="a")
    await update(database, 1, EVERY - 2)
    await take(database)
    late = 0
    while not await value(database, "select count(*) from acta.snapshots"):
        await update(database, 1, 1)
        await take(database)
        late += 1
        assert late < EVERY
    assert await value(database, WRONG) == 0


async def test_a_state_begins_anew_with_the_item(database: Database) -> None:
    chance = random.Random(5)
    await run(database, TABLE)
    for _ in range(6):
        await run(database, CREATE, id=1, text="new")
        for _ in range(chance.randint(1, 3)):
            await update(database, 1, chance.randint(10, 150))
            await take(database)
        await run(database, DELETE, id=1)
        if chance.random() < 0.5:
            await take(database)
    await take(database)
    assert await value(database, "select count(*) from acta.snapshots") >= 5
    assert await value(database, WRONG) == 0


async def test_snapshots_may_be_emptied(database: Database) -> None:
    await run(database, TABLE)
    await run(database, CREATE, id=1, text="a")
    await update(database, 1, 250)
    await take(database)
    before = await rows(database, "select * from acta.snapshots order by seq")
    assert len(before) == 2
    await run(database, "truncate acta.snapshots")
    await run(database, "update acta.cursors set position = 0 where name = 'snapshots'")
    await take(database)
    assert await rows(database, "select * from acta.snapshots order by seq") == before
