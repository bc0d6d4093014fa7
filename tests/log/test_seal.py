"""The ordering rule: nothing lost, nothing twice, no gap, per item in order; whatever happens beside."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from projections.database import Database
from projections.log.prepare import prepare
from projections.log.seal import PORTION, Chain, Sealer, ensure_epoch, parse_snapshot, read_chain
from tests.log.support import (
    CREATE,
    TABLE,
    assert_all_sealed_once,
    assert_fold_equals_rows,
    assert_items_in_order,
    rows,
    run,
    storm,
    value,
    write,
)
from workers import sealer as worker

WAITS_FOR_WRITERS = "select 1 from pg_locks where mode = 'ShareRowExclusiveLock' and not granted"
EVENT = "insert into acta.events (topic) values ('x') returning seq"


@asynccontextmanager
async def sealing(database: Database) -> AsyncIterator[Sealer]:
    async with await database.dedicated() as connection:
        sealer = await Sealer.try_open(connection)
        assert sealer is not None
        yield sealer


async def seal_all(database: Database) -> int:
    async with sealing(database) as sealer:
        return await sealer.seal()


async def test_a_new_log_begins_with_an_empty_seal(database: Database) -> None:
    chain = "select id, first_position, last_position, members::text, floor from acta.seals"
    assert await rows(database, chain) == [(0, 1, 0, "{}", 0)]
    assert await seal_all(database) == 0
    assert len(await rows(database, chain)) == 1


async def test_events_get_positions_once(database: Database) -> None:
    async with sealing(database) as sealer:
        for count in (1, 3, 500, 0):
            await write(database, count)
            assert await sealer.seal() == count
            assert await sealer.seal() == 0
    ends = await value(database, "select array_agg(last_position order by id) from acta.seals")
    assert ends == [0, 1, 4, 504]
    await assert_all_sealed_once(database)


async def test_rolled_back_events_leave_no_gap(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("begin")
        await connection.execute(EVENT)
        await connection.execute("rollback")
    await write(database, 2)
    assert await seal_all(database) == 2
    assert await value(database, "select members::text from acta.seals where id = 1") == "{[2,4)}"
    await assert_all_sealed_once(database)


async def test_a_stalled_transaction_keeps_only_its_own_events(database: Database) -> None:
    async with sealing(database) as sealer:
        async with database.transaction() as stalled:
            await stalled.execute(EVENT)
            await write(database, 5)
            assert await sealer.seal() == 5
            await stalled.execute(EVENT)
            await write(database, 1)
            assert await sealer.seal() == 1
        assert await sealer.seal() == 2
        assert await sealer.seal() == 0
    assert await value(database, "select members::text from acta.seals where id = 3") == "{[1,2),[7,8)}"
    await assert_all_sealed_once(database)


async def test_a_prepared_transaction_waits_too(postgres_url: str, database: Database) -> None:
    async with database.connection() as connection:
        if (await value(database, "select current_setting('max_prepared_transactions')")) == "0":
            # The same state seen from outside: a transaction without a session that could end it now.
            await connection.execute("begin")
            await connection.execute(EVENT)
            assert await seal_all(database) == 0
            await connection.execute("commit")
        else:
            await connection.execute("begin")
            await connection.execute(EVENT)
            await connection.execute("prepare transaction 'half'")
            assert await seal_all(database) == 0
            await connection.execute("commit prepared 'half'")
    assert await seal_all(database) == 1


async def test_a_writer_of_another_database_stalls_nothing(database: Database, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as other:
        other.execute("create temporary table busy (x int)")
        other.execute("insert into busy values (1)")
        await write(database, 10)
        assert await seal_all(database) == 10
        other.rollback()
    await assert_all_sealed_once(database)


async def test_subtransactions_belong_to_their_transaction(database: Database) -> None:
    async with sealing(database) as sealer:
        async with database.transaction() as outer:
            async with outer.transaction():
                await outer.execute(EVENT)
            async with outer.transaction(force_rollback=True):
                await outer.execute(EVENT)
            assert await sealer.seal() == 0
        assert await sealer.seal() == 1
    await assert_all_sealed_once(database)


async def test_large_batches_are_sealed_in_portions(database: Database) -> None:
    await write(database, 2 * PORTION + 1)
    assert await seal_all(database) == 2 * PORTION + 1
    sizes = "select array_agg(last_position - first_position + 1 order by id) from acta.seals where id > 0"
    assert await value(database, sizes) == [PORTION, PORTION, 1]
    links = "select count(*) from acta.seals a join acta.seals b on b.id = a.id + 1 and b.previous = a.root"
    assert await value(database, links) == 3
    await assert_all_sealed_once(database)


async def test_there_is_one_sealer(database: Database) -> None:
    async with sealing(database), await database.dedicated() as other:
        assert await Sealer.try_open(other) is None
    async with await database.dedicated() as other:
        assert await Sealer.try_open(other) is not None


async def test_the_only_notification_comes_from_the_sealer(database: Database) -> None:
    async with await database.dedicated() as listener, sealing(database) as sealer:
        await listener.execute("listen acta_sealed")
        await write(database, 3)
        assert await sealer.seal() == 3
        heard = [notice.payload async for notice in listener.notifies(timeout=30, stop_after=1)]
        assert heard == ["3"]
        await sealer.seal()
        assert [notice async for notice in listener.notifies(timeout=0.2)] == []


@pytest.mark.parametrize("seed", range(3))
async def test_many_writers_on_few_items(database: Database, seed: int) -> None:
    await run(database, TABLE)
    for number in range(8):
        await run(database, CREATE, id=number, text=None)
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(database, stop))
    await storm(database, writers=12, transactions=40, items=8, seed=seed)
    stop.set()
    await running
    await assert_all_sealed_once(database)
    await assert_items_in_order(database)
    await assert_fold_equals_rows(database)


async def test_the_floor_rises_but_never_over_an_unsealed_event(database: Database) -> None:
    async with sealing(database) as sealer:
        for _ in range(3):
            await write(database, 10)
            await sealer.seal()
        async with database.transaction() as stalled:
            await stalled.execute(EVENT)
            # Nothing finishes meanwhile, so a snapshot ends below the id of the running transaction.
            assert await sealer.seal() + await sealer.seal() == 0
            for _ in range(4):
                await write(database, 10)
                await sealer.seal()
            assert sealer.chain.parameters()["floor"] <= 30
        for _ in range(3):
            await write(database, 10)
            await sealer.seal()
        assert sealer.chain.parameters()["floor"] >= 71
    await assert_all_sealed_once(database)


async def test_a_new_sealer_goes_on_where_the_last_one_was(database: Database) -> None:
    async with database.transaction() as stalled:
        await stalled.execute(EVENT)
        for _ in range(3):
            await write(database, 5)
            assert await seal_all(database) == 5
    assert await seal_all(database) == 1
    assert await seal_all(database) == 0
    await assert_all_sealed_once(database)


async def test_sealers_killed_at_any_moment(database: Database, database_url: str) -> None:
    await run(database, TABLE)
    for number in range(8):
        await run(database, CREATE, id=number, text=None)
    writing = asyncio.create_task(storm(database, writers=8, transactions=120, items=8, seed=7))
    kills = 0
    while not writing.done():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SEAL_FOR_EVER, database_url, cwd=os.getcwd(), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        await process.stdout.readline()
        await asyncio.sleep(0.05 + 0.013 * (kills % 17))
        process.send_signal(signal.SIGKILL)
        await process.wait()
        kills += 1
    await writing
    assert kills >= 3
    await wait_for_lock(database)
    await seal_all(database)
    await assert_all_sealed_once(database)
    await assert_items_in_order(database)


SEAL_FOR_EVER = """
import asyncio, sys
from projections.database import Database
from workers import sealer

async def main():
    sealer.BUSY_SECONDS = sealer.IDLE_SECONDS = 0.001
    sealer.STANDBY_SECONDS = 0.02
    print("ready", flush=True)
    await sealer.run(await Database.open(sys.argv[1]), asyncio.Event())

asyncio.run(main())
"""


async def wait_for_lock(database: Database) -> None:
    """A killed client's backend lives on for the moment it takes to notice."""
    held = """
        select count(*) from pg_locks join pg_database on pg_database.oid = database
        where locktype = 'advisory' and objid = 1952514050 and datname = current_database()
    """
    for _ in range(800):
        if await value(database, held) == 0:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the lock of a killed sealer is still held")


async def test_the_sealer_survives_the_loss_of_its_connection(database: Database) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(database, stop))
    sealers = "select pid from pg_locks where locktype = 'advisory' and granted and objid = 1952514050"
    for _ in range(2):
        while not (found := await rows(database, sealers)):
            await asyncio.sleep(0.02)
        await run(database, "select pg_terminate_backend(%(pid)s, 5000)", pid=found[0][0])
        await write(database, 5)
    stop.set()
    await running
    await seal_all(database)
    await assert_all_sealed_once(database)


async def test_the_worker_makes_partitions_and_seals_before_it_ends(database: Database) -> None:
    await run(database, "select setval('acta.events_seq_seq', 15000000)")
    await write(database, 7)
    stop = asyncio.Event()
    stop.set()
    await worker.run(database, stop)
    assert await value(database, "select max(last_position) from acta.seals") == 0


async def test_a_log_without_seals_is_taken_in_as_an_epoch(database: Database) -> None:
    await write(database, 20)
    await run(database, "delete from acta.seals")
    assert await ensure_epoch(database) is True
    assert await ensure_epoch(database) is False
    await prepare(database)
    await write(database, 2)
    assert await seal_all(database) == 2
    assert await value(database, "select floor from acta.seals where id = 0") == 20
    await assert_all_sealed_once(database)


async def test_an_epoch_waits_for_writers_and_keeps_others_out(database: Database) -> None:
    await write(database, 3)
    await run(database, "update acta.seals set system_identifier = 42")
    async with database.transaction() as writer:
        await writer.execute(EVENT)
        epoch = asyncio.create_task(ensure_epoch(database))
        while not await rows(database, WAITS_FOR_WRITERS):
            await asyncio.sleep(0.01)
        late = asyncio.create_task(write(database, 1))
        await asyncio.sleep(0.1)
        assert not epoch.done()
        assert not late.done()
    assert await epoch is True
    await late
    members = await value(database, "select array_agg(members::text order by id) from acta.seals")
    assert members == ["{}", "{[1,5)}"]
    assert await seal_all(database) == 1
    await assert_all_sealed_once(database)


async def test_processes_that_start_at_once_begin_one_epoch(database: Database) -> None:
    await write(database, 3)
    await run(database, "update acta.seals set system_identifier = 42")
    begun = await asyncio.gather(*(ensure_epoch(database) for _ in range(8)))
    assert sum(begun) == 1
    await assert_all_sealed_once(database)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("5:5:", (5, 5, [])), ("5:9:5,7", (5, 9, [5, 7])), ("1:99999999999:1", (1, 99999999999, [1]))],
)
def test_snapshots_are_parsed(text: str, parts: tuple[int, int, list[int]]) -> None:
    assert parse_snapshot(text) == parts


async def test_the_chain_is_read_back(database: Database) -> None:
    await write(database, 3)
    async with sealing(database) as sealer:
        await sealer.seal()
        async with database.connection() as connection:
            read: Chain = await read_chain(connection)
        for name in ("id", "position", "root", "snapshot", "system_identifier", "foreign"):
            assert getattr(read, name) == getattr(sealer.chain, name)
        assert (read.position, read.id, len(read.root)) == (3, 1, 32)


def test_pauses_adapt() -> None:
    assert worker.next_pause(0.2, sealed=10, took=0.001) == worker.BUSY_SECONDS
    assert worker.next_pause(0.05, sealed=10, took=0.1) == pytest.approx(0.4)
    assert worker.next_pause(0.05, sealed=10, took=9) == worker.LONGEST_SECONDS
    assert worker.next_pause(0.05, sealed=0, took=0.001) == pytest.approx(0.075)
    assert worker.next_pause(0.19, sealed=0, took=0.001) == worker.IDLE_SECONDS
