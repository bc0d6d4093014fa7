"""The tables of the log come into being once, whoever prepares, and partitions stay ahead."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from domain.errors import ServiceUnavailable
from projections.database import Database
from projections.log.prepare import PARTITION_EVENTS, extend, prepare


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url, maximum=6) as database:
        yield database


async def value(database: Database, statement: str) -> object:
    async with database.connection() as connection:
        row = await (await connection.execute(statement)).fetchone()
    assert row is not None
    return row[0]


PARTITIONS = "select count(*) from pg_inherits where inhparent = 'acta.events'::regclass"


async def test_many_processes_prepare_at_once(database: Database) -> None:
    await asyncio.gather(*(prepare(database) for _ in range(6)))
    assert await value(database, "select count(*) from acta.migrations where room = 'log'") >= 1  # type: ignore[operator]
    assert await value(database, PARTITIONS) == 3
    await prepare(database)
    assert await value(database, PARTITIONS) == 3


async def test_partitions_stay_ahead_of_the_log(database: Database) -> None:
    await prepare(database)
    async with database.connection() as connection:
        await connection.execute("select setval('acta.events_seq_seq', %s)", [4 * PARTITION_EVENTS + 5])
        with pytest.raises(psycopg.errors.CheckViolation):
            await connection.execute("insert into acta.events (topic) values ('x')")
        assert await extend(database) == 3
        await connection.execute("insert into acta.events (topic) values ('x')")
    assert await value(database, "select tableoid::regclass::text from acta.events") == "acta.events_000005"
    assert await extend(database) == 0


async def test_a_partition_is_attached_beside_an_open_writer(database: Database) -> None:
    await prepare(database)
    async with database.transaction() as writer:
        await writer.execute("insert into acta.events (topic) values ('x')")
        assert await asyncio.wait_for(extend(database, ahead=6 * PARTITION_EVENTS), 30) == 4
        async with database.connection() as other:
            await other.execute("insert into acta.events (topic) values ('y')")
    assert await value(database, "select count(*) from acta.events") == 2


@pytest.mark.parametrize(
    "statement", ["update acta.events set item = 'x'", "delete from acta.events", "truncate acta.events"]
)
async def test_events_are_not_changed_by_accident(database: Database, statement: str) -> None:
    await prepare(database)
    with pytest.raises(psycopg.errors.RestrictViolation):
        await value(database, statement)


async def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    await prepare(database)
    async with database.connection() as connection:
        await connection.execute("insert into acta.migrations values ('log', 9000, 'future')")
    with pytest.raises(ServiceUnavailable, match="newer"):
        await prepare(database)


async def test_a_transaction_has_its_id_before_its_seq(database: Database) -> None:
    """The floor of a seal is only right when defaults are evaluated in this order."""
    await prepare(database)
    orders = """
        select array_agg(distinct columns) from pg_inherits, lateral (
            select array_agg(attname::text order by attnum) columns from pg_attribute
            where attrelid = inhrelid and attname in ('xid', 'seq')
        ) _ where inhparent = 'acta.events'::regclass
    """
    assert await value(database, orders) == [["xid", "seq"]]
