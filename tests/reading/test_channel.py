"""The channel: one statement over one connection, come what may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from domain.errors import ServiceUnavailable
from projections.database import Connection, Database
from projections.reading import channel
from projections.reading.statement import Statement


def asking(text: str, version: int = 1) -> Statement:
    return Statement(text.encode(), (), version, (), "whole")


async def prepared(connection: Connection) -> list[str]:
    cursor = await connection.execute("SELECT name FROM pg_prepared_statements ORDER BY prepare_time")
    return [row[0] for row in await cursor.fetchall()]


@pytest.fixture
async def connection(postgres_url: str) -> AsyncIterator[Connection]:
    async with await Database.open(postgres_url, maximum=1) as database, database.connection() as opened:
        yield opened


async def test_values_pass_untouched(connection: Connection) -> None:
    text = "SELECT $1::text UNION ALL SELECT NULL"
    assert await channel.fetch(connection, asking(text), ["ä€".encode()], 5) == ["ä€".encode(), None]
    assert await channel.fetch(connection, asking("SELECT 1 WHERE false"), (), 5) == []


async def test_large_operands_and_answers(connection: Connection) -> None:
    large = b"x" * 20_000_000
    assert await channel.fetch(connection, asking("SELECT $1::text"), [large], 30) == [large]


async def test_what_comes_again_is_prepared(connection: Connection) -> None:
    for _ in range(3):
        await channel.fetch(connection, asking("SELECT 11"), (), 5)
    assert len(await prepared(connection)) == 1
    await channel.fetch(connection, asking("SELECT 11", version=2), (), 5)
    await channel.fetch(connection, asking("SELECT 11", version=2), (), 5)
    assert len(await prepared(connection)) == 2


async def test_only_so_many_stay_prepared(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "MAX_PREPARED", 3)
    for number in range(8):
        for _ in range(2):
            assert await channel.fetch(connection, asking(f"SELECT {number}"), (), 5) == [
                str(number).encode()
            ]
    assert len(await prepared(connection)) <= 3


async def test_long_statements_are_fewer(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "MAX_PREPARED_BYTES", 10_000)
    for length in (1000, 2000):
        for number in range(12):
            for _ in range(2):
                text = f"SELECT '{number}'".ljust(length)
                assert await channel.fetch(connection, asking(text), (), 5) == [str(number).encode()]
    # The longer ones are not prepared at all.
    kept = await prepared(connection)
    assert 5 <= len(kept) <= 10


async def test_what_was_deallocated_behind_our_back_runs_all_the_same(connection: Connection) -> None:
    for _ in range(2):
        await channel.fetch(connection, asking("SELECT 12"), (), 5)
    await connection.execute("DEALLOCATE ALL")
    assert await channel.fetch(connection, asking("SELECT 12"), (), 5) == [b"12"]


async def test_too_long(connection: Connection) -> None:
    with pytest.raises(ServiceUnavailable, match="took longer"):
        await channel.fetch(connection, asking("SELECT pg_sleep(30)"), (), 0.2)
    assert await channel.fetch(connection, asking("SELECT 1"), (), 5) == [b"1"]


async def test_a_cancelled_request_stops_its_statement(connection: Connection, postgres_url: str) -> None:
    running = asyncio.create_task(channel.fetch(connection, asking("SELECT pg_sleep(31)"), (), 60))
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with await psycopg.AsyncConnection.connect(postgres_url) as other:
        cursor = await other.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE query LIKE '%pg_sleep(31)%' AND state = 'active' AND pid <> pg_backend_pid()"
        )
        assert await cursor.fetchone() == (0,)
    assert await channel.fetch(connection, asking("SELECT 1"), (), 5) == [b"1"]


async def test_errors_keep_what_the_server_said(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero) as raised:
        await channel.fetch(connection, asking("SELECT 1/0"), (), 5)
    assert raised.value.diag.message_primary == "division by zero"
    assert await channel.fetch(connection, asking("SELECT 1"), (), 5) == [b"1"]


async def test_a_lost_server_is_told_as_such(postgres_url: str) -> None:
    async with await Database.open(postgres_url, maximum=1) as database:
        with pytest.raises(ServiceUnavailable):
            async with database.connection() as connection:
                await channel.fetch(
                    connection, asking("SELECT pg_terminate_backend(pg_backend_pid())"), (), 5
                )
        async with database.connection() as connection:
            assert await channel.fetch(connection, asking("SELECT 1"), (), 5) == [b"1"]


async def test_inside_a_transaction(connection: Connection) -> None:
    async with connection.transaction():
        await connection.execute("CREATE TEMPORARY TABLE seen ON COMMIT DROP AS SELECT 5 AS n")
        assert await channel.fetch(connection, asking("SELECT n FROM seen"), (), 5) == [b"5"]


async def test_copying_out(connection: Connection) -> None:
    command = b"COPY (SELECT n FROM generate_series(1, 50000) n) TO STDOUT"
    blocks = [block async for block in channel.copy_out(connection, command, 5)]
    assert b"".join(blocks).split() == [str(number).encode() for number in range(1, 50001)]
    assert len(blocks) < 20
    assert [
        block async for block in channel.copy_out(connection, b"COPY (SELECT 1 WHERE false) TO STDOUT", 5)
    ] == []
    assert await channel.fetch(connection, asking("SELECT 1"), (), 5) == [b"1"]


@pytest.mark.parametrize(
    "query", ["SELECT nothing", "SELECT 1 / (50000 - n) FROM generate_series(1, 60000) n"]
)
async def test_copying_out_what_is_refused(connection: Connection, query: str) -> None:
    with pytest.raises(psycopg.Error, match=r"nothing|zero"):
        async for _ in channel.copy_out(connection, f"COPY ({query}) TO STDOUT".encode(), 5):
            pass


async def test_copying_out_ends_when_nobody_reads_on(connection: Connection, postgres_url: str) -> None:
    rows = channel.copy_out(connection, b"COPY (SELECT n FROM generate_series(1, 10000000) n) TO STDOUT", 5)
    assert await anext(rows)
    await rows.aclose()
    assert connection.closed
    slow = await psycopg.AsyncConnection.connect(postgres_url, autocommit=True)
    with pytest.raises(ServiceUnavailable, match="took longer"):
        async for _ in channel.copy_out(slow, b"COPY (SELECT pg_sleep(32)) TO STDOUT", 0.2):
            pass
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as other:
        running = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE state = 'active' AND query LIKE '%sleep(32)%TO STDOUT'"
        )
        for _ in range(250):
            if await (await other.execute(running)).fetchone() == (0,):
                return
            await asyncio.sleep(0.1)
    raise AssertionError("the statement goes on")
