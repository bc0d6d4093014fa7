"""Reading by position: every window gives the same log."""

from datetime import UTC, datetime, timedelta

import pytest
from psycopg import sql

from projections.database import Database
from projections.log.listing import LISTING
from projections.log.positions import RECORDS, TELL_OF, last_position, position_at, position_of, read
from projections.log.seal import Sealer
from projections.log.snapshots import TAKE, take_snapshots
from tests.log.support import SEALED, rows, run, write


async def interleaved(database: Database) -> list[tuple[int, int]]:
    """A log whose positions and seqs differ: stalled transactions, rollbacks, small and large seals."""
    event = "insert into acta.events (topic, item) values ('x', %(item)s)"
    async with await database.dedicated() as connection:
        sealer = await Sealer.try_open(connection)
        assert sealer is not None
        async with database.connection() as one, database.connection() as two:
            await one.execute("begin")
            for number in range(12):
                await one.execute(event, {"item": f"one {number}"})
                await write(database, number % 3)
                if number % 4 == 1:
                    await two.execute("begin")
                await two.execute(event, {"item": f"two {number}"})
                if number % 4 == 3:
                    await two.execute("rollback" if number == 7 else "commit")
                await sealer.seal()
            await one.execute("commit")
        await write(database, 40)
        await sealer.seal()
    return await rows(database, SEALED)


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
async def test_every_window_gives_the_same_log(database: Database, limit: int) -> None:
    expected = await interleaved(database)
    assert [seq for _, seq in expected] != sorted(seq for _, seq in expected)
    found: list[tuple[int, int]] = []
    async with database.connection() as connection:
        while records := await read(connection, len(found), limit):
            assert len(records) <= limit
            found += [(record.position, record.seq) for record in records]
    assert found == expected


async def test_positions_of_events(database: Database) -> None:
    expected = await interleaved(database)
    async with database.connection() as connection:
        for position, seq in expected:
            assert await position_of(connection, seq) == position
        await connection.execute("insert into acta.events (topic) values ('late')")
        assert await position_of(connection, max(seq for _, seq in expected) + 1) is None
        assert await last_position(connection) == len(expected)
        assert await read(connection, len(expected)) == []


async def test_records_hold_the_row(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(
            """
            insert into acta.events (topic, collection, item, context, payload, meta) values
            ('item.created', 'a', '1', 3, '{"n": 123456789012345678901234567890.10}', '{"fields": ["n"]}')
            """
        )
        sealer = await Sealer.try_open(connection)
        assert sealer is not None
        await sealer.seal()
        (record,) = await read(connection, 0)
    assert record.payload_text == '{"n": 123456789012345678901234567890.10}'
    assert record.payload == {"n": pytest.approx(1.2345678901234568e29)}
    assert (record.originator_id, record.meta, record.context) == ("a/1", {"fields": ["n"]}, 3)
    assert record.at.tzinfo is not None


async def test_positions_of_moments(database: Database) -> None:
    now = datetime.now(UTC)
    async with database.connection() as connection:
        assert await position_at(connection, now - timedelta(hours=1)) == 0
        await interleaved(database)
        assert await position_at(connection, now + timedelta(hours=1)) == await last_position(connection)


@pytest.mark.parametrize("goes_on", [False, True])
async def test_moments_while_nobody_sealed(database: Database, goes_on: bool) -> None:
    """What was written by a moment belongs to it, whenever it was sealed; no transaction is split."""
    event = "insert into acta.events (topic, item) values ('x', 'slow')"
    moments = []
    async with await database.dedicated() as connection, database.connection() as slow:
        sealer = await Sealer.try_open(connection)
        assert sealer is not None
        await write(database, 3)
        await sealer.seal()
        for number in range(3):
            moments.append(await clock(database))
            await write(database, 2)
            if number == 1:
                await slow.execute("begin")
                await slow.execute(event)
        if goes_on:
            await slow.execute(event)
        await slow.execute("commit")
        await write(database, 1)
        moments.append(await clock(database))
        await sealer.seal()
        moments.append(await clock(database))
        found = [await position_at(connection, moment) for moment in moments]
    # The slow one's events are at 8, and at 11 where it goes on.
    assert found == ([3, 5, 7, 12, 12] if goes_on else [3, 5, 8, 11, 11])


async def clock(database: Database) -> datetime:
    async with database.connection() as connection:
        row = await (await connection.execute("select clock_timestamp()")).fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


@pytest.mark.parametrize(("after", "limit"), [(32_000, 1000), (32_766, 1), (32_767, 1)])
async def test_windows_across_the_width_of_a_small_integer(
    database: Database, after: int, limit: int
) -> None:
    # The driver binds a number by its size, and sums of small ones have to be large.
    async with await database.dedicated() as connection:
        sealer = await Sealer.try_open(connection)
        assert sealer is not None
        await connection.execute(
            "insert into acta.events (topic, collection, item)"
            " select 'x', 'c', n::text from generate_series(1, 33100) n"
        )
        await sealer.seal()
        records = await read(connection, after, limit)
        assert [record.position for record in records] == list(range(after + 1, after + limit + 1))
        await take_snapshots(connection, after, limit)


MANY = """
    insert into acta.events (topic, collection, item, payload)
    select case when n % 10 = 0 then 'item.updated' else 'item.adopted' end, 'things', n::text, '{"a": 1}'
    from generate_series(1, 60000) n
"""


@pytest.mark.parametrize("statement", [RECORDS, TELL_OF, TAKE, LISTING], ids=["read", "tell", "take", "list"])
async def test_a_window_does_not_read_the_whole_log(database: Database, statement: sql.Composed) -> None:
    async with await database.dedicated() as connection:
        sealer = await Sealer.try_open(connection)
        assert sealer is not None
        for _ in range(30):
            await write(database, 3)
            await sealer.seal()
        await run(database, MANY, "analyze acta.events")
        await sealer.seal()
        values = {"after": 60_000, "limit": 100, "bytes": 1000, "collection": "things", "every": 100}
        explained = sql.SQL("explain (analyze, format json) {}").format(statement)
        row = await (await connection.execute(explained, {**values, "topics": None})).fetchone()
        assert row is not None
    plans, read_whole = [row[0][0]["Plan"]], []
    while plans:
        plan = plans.pop()
        plans += plan.get("Plans", [])
        if (
            plan["Node Type"] == "Seq Scan"
            and plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) > 1000
        ):
            read_whole.append(plan["Relation Name"])
    assert read_whole == []
