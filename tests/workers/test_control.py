"""What operators can do to followers, and what followers do about events they can't handle."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import psycopg
import pytest

from domain.log import Record
from projections.database import Connection, Database
from projections.log import cursors, positions
from tests.log.support import run, value, write
from tests.workers.test_follower import Collecting, Running, wait_for
from workers import follower as module
from workers.follower import Batch, EnvironmentTrouble, OutwardFollower, RecordFollower


class Picky(RecordFollower):
    """Can't handle one event."""

    name: ClassVar[str] = "picky"

    def __init__(self, dislikes: int) -> None:
        self.dislikes = dislikes
        self.seen: list[int] = []

    async def handle(self, connection: Connection, records: Sequence[Record], batch: Batch) -> None:
        for record in records:
            if record.position == self.dislikes:
                raise ValueError("can't stand it\nDETAIL: a secret value")
        self.seen += [record.position for record in records]


class Publishing(OutwardFollower):
    """Has its effects elsewhere."""

    name: ClassVar[str] = "publishing"
    batch: ClassVar[int] = 10

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.away = 0
        self.closed = 0

    async def handle(self, records: Sequence[Record], batch: Batch) -> None:
        if self.away:
            self.away -= 1
            raise EnvironmentTrouble("the broker is away")
        self.seen += [record.position for record in records]

    async def close(self) -> None:
        self.closed += 1


async def state(database: Database, name: str) -> cursors.Overview:
    """A follower's state, once it has registered."""
    async with asyncio.timeout(60):
        while True:
            async with database.connection() as connection:
                found = [entry for entry in await cursors.overview(connection) if entry.name == name]
            if found:
                return found[0]
            await asyncio.sleep(0.01)


async def until_position(database: Database, name: str, position: int) -> None:
    async with asyncio.timeout(60):
        while (await value(database, "select max(position) from acta.cursors where name = %s", [name])) != (
            position
        ):
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(module, "LAST_RETRY_SECONDS", 0.2)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)


async def test_an_event_that_cannot_be_handled_is_parked_and_given_another_chance(database: Database) -> None:
    follower = Picky(dislikes=13)
    async with Running(database, follower):
        await write(database, 40)
        await until_position(database, "picky", 40)
        assert follower.seen == [*range(1, 13), *range(14, 41)]
        async with database.connection() as connection:
            (parked,) = await cursors.parked(connection, "picky")
        assert (parked.position, parked.item, parked.error) == (13, "13", "ValueError: can't stand it")
        found = await state(database, "picky")
        assert (found.parked, found.failures, found.error, found.running) == (1, 0, None, True)
        follower.dislikes = 0
        async with database.connection() as connection:
            assert await cursors.rewind(connection, "picky", 12, again=False)
        await until_position(database, "picky", 40)
        assert follower.seen[-28:] == list(range(13, 41))
        assert (await state(database, "picky")).parked == 0


async def test_trouble_of_the_environment_blames_no_event(database: Database) -> None:
    follower = Publishing()
    follower.away = 1_000_000
    async with Running(database, follower):
        await write(database, 5)
        async with asyncio.timeout(60):
            while (found := await state(database, "publishing")).failures < module.POISON_ATTEMPTS * 2:
                await asyncio.sleep(0.01)
        assert found.error == "EnvironmentTrouble: the broker is away"
        assert found.failed_at is not None
        follower.away = 0
        await until_position(database, "publishing", 5)
    assert follower.seen == [1, 2, 3, 4, 5]
    assert (await state(database, "publishing")).parked == 0


async def test_a_pause_holds_and_a_resume_goes_on(database: Database) -> None:
    follower = Collecting()
    async with Running(database, follower):
        await write(database, 3)
        await wait_for(follower, 3)
        async with database.connection() as connection:
            assert await cursors.pause(connection, "collecting", paused=True)
        await write(database, 3)
        async with asyncio.timeout(60):
            while (await state(database, "collecting")).lag < 3:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        assert follower.seen == [1, 2, 3]
        async with database.connection() as connection:
            assert await cursors.pause(connection, "collecting", paused=False)
        await wait_for(follower, 6)


async def test_a_rewind_repeats_effects_only_when_asked(database: Database) -> None:
    follower = Publishing()
    async with Running(database, follower):
        await write(database, 25)
        await until_position(database, "publishing", 25)
        for again, expected in ((False, 25), (True, 40)):
            async with database.connection() as connection:
                assert await cursors.rewind(connection, "publishing", 10, again=again)
            await until_position(database, "publishing", 25)
            assert len(follower.seen) == expected
        await write(database, 1)
        await until_position(database, "publishing", 26)
    assert follower.seen == [*range(1, 26), *range(11, 26), 26]


async def test_a_rewind_during_a_batch_wins(database: Database) -> None:
    async def rewind(records: Sequence[Record], batch: Batch) -> None:
        async with database.connection() as connection:
            await cursors.rewind(connection, "publishing", 2, again=True)

    follower = Publishing()
    async with Running(database):
        await write(database, 8)
        async with asyncio.timeout(60):
            while await value(database, "select coalesce(max(last_position), 0) from acta.seals") < 8:
                await asyncio.sleep(0.02)
    await module.register(follower, database)
    follower.handle = rewind  # type: ignore[method-assign]
    assert await follower.step(database, 10) == 8
    assert (await state(database, "publishing")).position == 2


async def test_another_process_takes_over_when_the_locks_are_lost(database: Database) -> None:
    one, two = Publishing(), Publishing()
    async with Running(database, one, two):
        await write(database, 5)
        await until_position(database, "publishing", 5)
        first, second = (one, two) if one.seen else (two, one)
        assert second.seen == []
        async with asyncio.timeout(60):
            while not second.seen:
                # The one that lost the lock may be the first to get it again.
                await run(
                    database,
                    """
                    select pg_terminate_backend(pid, 5000) from pg_locks
                    where locktype = 'advisory' and objsubid = 2 and granted
                    """,
                )
                await write(database, 5)
                await asyncio.sleep(1.5)
    everything = sorted(first.seen + second.seen)
    assert sorted(set(everything)) == list(range(1, everything[-1] + 1))


async def test_large_events_come_in_smaller_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sizes(Collecting):
        batch: ClassVar[int] = 1000

        async def handle(self, connection: Connection, records: Sequence[Record], batch: Batch) -> None:
            batches.append(len(records))
            await super().handle(connection, records, batch)

    monkeypatch.setattr("projections.log.positions.BATCH_BYTES", 100_000)
    batches: list[int] = []
    await run(
        database,
        """
        insert into acta.events (topic, collection, item, payload)
        select 'item.created', 'things', n::text, jsonb_build_object('id', n, 'text', (
            select string_agg(md5(n::text || m), '') from generate_series(1, 2000) m))
        from generate_series(1, 20) n
        """,
    )
    follower = Sizes()
    async with Running(database, follower):
        await wait_for(follower, 20)
    assert follower.seen == list(range(1, 21))
    assert max(batches) <= 4


async def test_nobody_of_the_name(database: Database) -> None:
    async with database.connection() as connection:
        assert not await cursors.pause(connection, "nobody", paused=True)
        assert not await cursors.rewind(connection, "nobody", 0, again=True)
        assert not await cursors.forget(connection, "nobody")
        await cursors.register(connection, "somebody", 3)
        assert await cursors.forget(connection, "somebody")
        assert await cursors.overview(connection) == []


async def test_a_backlog_is_read_ahead_and_what_fails_there_repeats_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(database, 35)
    follower, handling = Publishing(), asyncio.Event()
    asked: list[tuple[int, bool]] = []
    read = positions.read

    async def failing(connection: Connection, after: int, limit: int) -> list[Record]:
        asked.append((after, handling.is_set()))
        if asked[-1] == (10, True):
            raise psycopg.OperationalError("the server is away")
        return await read(connection, after, limit)

    async def handle(records: Sequence[Record], batch: Batch) -> None:
        handling.set()
        await asyncio.sleep(0.02)
        follower.seen += [record.position for record in records]
        handling.clear()

    monkeypatch.setattr(positions, "read", failing)
    monkeypatch.setattr(follower, "handle", handle)
    async with Running(database, follower):
        await until_position(database, "publishing", 35)
    assert follower.seen == list(range(1, 36))
    # Read again in its turn, and the next ones while others were handled.
    assert [entry for entry in asked if 0 < entry[0] < 35] == [
        (10, True),
        (10, False),
        (20, True),
        (30, True),
    ]


async def test_what_was_read_ahead_is_not_handled_after_a_rewind(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(database, 30)
    follower = Publishing()

    async def handle(records: Sequence[Record], batch: Batch) -> None:
        follower.seen += [record.position for record in records]
        if len(follower.seen) == 20:
            async with database.connection() as connection:
                assert await cursors.rewind(connection, "publishing", 5, again=True)

    monkeypatch.setattr(follower, "handle", handle)
    async with Running(database, follower):
        await until_position(database, "publishing", 30)
    assert follower.seen == [*range(1, 21), *range(6, 31)]
