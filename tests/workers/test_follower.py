"""Followers: in order, durable, one at a time, through failures, woken by the sealer."""

import asyncio
import time
from collections.abc import Sequence
from typing import ClassVar

import pytest

from domain.log import Record
from projections.database import Connection, Database
from tests.log.support import rows, run, value, write
from workers import follower as module
from workers import sealer
from workers.follower import (
    Batch,
    Follower,
    RecordFollower,
    follow,
)
from workers.leadership import Leadership
from workers.share import Share
from workers.wake import Wake


class Collecting(RecordFollower):
    name: ClassVar[str] = "collecting"
    batch: ClassVar[int] = 7

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.times: list[float] = []
        self.failures = 0
        self.enough = asyncio.Event()
        self.expected = 0

    async def handle(self, connection: Connection, records: Sequence[Record], batch: Batch) -> None:
        await connection.execute(
            "insert into public.copies select unnest(%s::bigint[])", [[r.seq for r in records]]
        )
        if self.failures:
            self.failures -= 1
            raise RuntimeError("not today")
        self.seen += [record.position for record in records]
        self.times.append(time.monotonic())
        if len(self.seen) >= self.expected:
            self.enough.set()


class Latest(Collecting):
    name: ClassVar[str] = "latest"
    from_start: ClassVar[bool] = False


class Running:
    """A sealer, a wake-up and followers, as in a worker process."""

    def __init__(self, database: Database, *followers: Follower) -> None:
        self.database, self.followers = database, followers
        self.stop, self.wake = asyncio.Event(), Wake()

    async def __aenter__(self) -> "Running":
        await run(self.database, "create table if not exists public.copies (seq bigint primary key)")
        self.tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(sealer.run(self.database, self.stop)),
            asyncio.create_task(self.wake.listen(self.database, self.stop)),
        ]
        # As many processes as followers.
        for follower in self.followers:
            leadership = Leadership(self.database)
            running = follow(follower, self.database, self.wake, self.stop, leadership, Share(1, self.stop))
            self.tasks += [asyncio.create_task(running), asyncio.create_task(leadership.watch(self.stop))]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await asyncio.wait_for(asyncio.gather(*self.tasks), 60)


async def wait_for(follower: Collecting, count: int) -> None:
    follower.expected = count
    if len(follower.seen) < count:
        follower.enough.clear()
        await asyncio.wait_for(follower.enough.wait(), 60)


async def test_every_event_once_in_order(database: Database) -> None:
    follower = Collecting()
    async with Running(database, follower):
        for count in (1, 20, 3):
            await write(database, count)
        await wait_for(follower, 24)
    assert follower.seen == list(range(1, 25))
    assert await value(database, "select position from acta.cursors where name = 'collecting'") == 24


async def test_a_follower_goes_on_where_it_was(database: Database) -> None:
    for expected in ([1, 2, 3], [4, 5, 6]):
        follower = Collecting()
        async with Running(database, follower):
            await write(database, 3)
            await wait_for(follower, 3)
        assert follower.seen == expected


async def test_a_new_follower_may_begin_with_what_comes_next(database: Database) -> None:
    first, latest = Collecting(), Latest()
    async with Running(database, first):
        await write(database, 5)
        await wait_for(first, 5)
    async with Running(database, latest):
        while not await rows(database, "select 1 from acta.cursors where name = 'latest'"):
            await asyncio.sleep(0.01)
        await run(database, "truncate public.copies")
        await write(database, 2)
        await wait_for(latest, 2)
    assert latest.seen == [6, 7]


async def test_a_failure_is_tried_again_and_leaves_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_SECONDS", 0.01)
    follower = Collecting()
    follower.failures = 3
    async with Running(database, follower):
        await write(database, 10)
        await wait_for(follower, 10)
    assert follower.seen == list(range(1, 11))
    assert await value(database, "select count(*) from public.copies") == 10
    assert sum("not today" in record.getMessage() for record in caplog.records) == 3


async def test_a_lost_server_is_survived(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_SECONDS", 0.01)
    follower = Collecting()
    async with Running(database, follower):
        await write(database, 3)
        await wait_for(follower, 3)
        while await value(database, "select position from acta.cursors where name = 'collecting'") < 3:
            await asyncio.sleep(0.02)
        await run(
            database,
            """
            select pg_terminate_backend(pid, 5000) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()
            """,
        )
        await write(database, 3)
        await wait_for(follower, 6)
    assert follower.seen == [1, 2, 3, 4, 5, 6]


async def test_one_process_at_a_time_runs_a_follower(database: Database) -> None:
    one, two = Collecting(), Collecting()
    async with Running(database, one, two):
        for _ in range(30):
            await write(database, 10)
        while len(one.seen) + len(two.seen) < 300:
            await asyncio.sleep(0.02)
    assert sorted(one.seen + two.seen) == list(range(1, 301))


async def test_a_held_position_is_not_waited_for(database: Database) -> None:
    follower = Collecting()
    async with Running(database, follower):
        await write(database, 1)
        await wait_for(follower, 1)
    async with database.transaction() as other:
        await other.execute("select from acta.cursors where name = 'collecting' for update")
        assert await asyncio.wait_for(follower.step(database, 10), 30) == 0


async def test_followers_are_woken_not_only_when_they_look(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 60)
    follower = Collecting()
    async with Running(database, follower) as running:
        count = 0
        while running.wake.turn == 0:
            await write(database, 1)
            count += 1
            await asyncio.sleep(0.3)
        # What came before it listened, it may see when it looks, or with what comes next.
        await write(database, 1)
        await wait_for(follower, count + 1)
        began = time.monotonic()
        await write(database, 1)
        await wait_for(follower, count + 2)
        assert (took := time.monotonic() - began) < 30, took


async def test_a_wake_up_between_looking_and_waiting_is_not_missed() -> None:
    wake, stop = Wake(), asyncio.Event()
    turn = wake.turn
    wake.up()
    await asyncio.wait_for(wake.after(turn, 60, stop), 30)
    waiting = asyncio.create_task(wake.after(wake.turn, 60, stop))
    await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(waiting, 30)
