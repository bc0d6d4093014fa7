"""The door to PostgreSQL: settings, transactions, and a server that goes away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import psycopg
import pytest

from domain.errors import ServiceUnavailable
from projections import sql
from projections.database import Database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url, maximum=3, application="acta-tests") as database:
        yield database


async def scalar(database: Database, statement: str, *values: object) -> object:
    async with database.connection() as connection:
        row = await (await connection.execute(statement, values)).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("TimeZone", "UTC"), ("DateStyle", "ISO, MDY"), ("jit", "off"), ("application_name", "acta-tests")],
)
async def test_sessions_have_our_settings(database: Database, setting: str, value: str) -> None:
    assert await scalar(database, "select current_setting(%s)", setting) == value


async def test_options_of_the_url_stay_but_do_not_win(database_url: str) -> None:
    separator = "&" if "?" in database_url else "?"
    url = f"{database_url}{separator}options=-c%20work_mem%3D7MB%20-c%20TimeZone%3DEurope/Berlin"
    async with await Database.open(url) as database:
        assert await scalar(database, "select current_setting('work_mem')") == "7MB"
        assert await scalar(database, "select current_setting('TimeZone')") == "UTC"


async def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("create table kept (id int)")

    async def insert_and_fail() -> None:
        async with database.transaction() as connection:
            await connection.execute("insert into kept values (1)")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        await insert_and_fail()
    assert await scalar(database, "select count(*) from kept") == 0


async def test_errors_of_statements_pass_through(database: Database) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await scalar(database, "select 1 / 0")
    assert await scalar(database, "select 1") == 1


async def test_a_dead_connection_in_the_pool_costs_no_request(database: Database, database_url: str) -> None:
    async with database.connection() as one, database.connection() as two:
        ids = [one.info.backend_pid, two.info.backend_pid]
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("select pg_terminate_backend(pid, 5000) from unnest(%s::int[]) pid", [ids])
    for _ in range(4):
        assert await scalar(database, "select 1") == 1


async def test_more_callers_than_connections_take_turns(database: Database) -> None:
    used: set[int] = set()

    async def work(number: int) -> None:
        for _ in range(20):
            async with database.connection() as connection:
                used.add(connection.info.backend_pid)
                await connection.execute("select pg_sleep(0.001)")
            if number % 3 == 0:
                await asyncio.sleep(0)

    async def give_up() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.002), database.connection() as connection:
                await connection.execute("select pg_sleep(1)")

    await asyncio.gather(*map(work, range(12)), *(give_up() for _ in range(6)))
    assert await scalar(database, "select 1") == 1
    assert len(used) >= 3
    assert database.statistics()["pool_available"] == database.statistics()["pool_size"] <= 3


async def test_connections_are_passed_on_past_the_pool(database: Database) -> None:
    order: list[int] = []

    async def work(number: int) -> None:
        async with database.connection() as connection:
            order.append(number)
            await connection.execute("select pg_sleep(0.001)")

    await asyncio.gather(*map(work, range(30)))
    assert database.statistics()["requests_num"] <= 3
    # The first three ask the pool, which opens connections in its own time; all others stand in line.
    assert [number for number in order if number >= 3] == list(range(3, 30))


async def test_who_waits_too_long_is_told(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    free, held = asyncio.Event(), asyncio.Semaphore(0)

    async def hold() -> None:
        async with database.connection():
            held.release()
            await free.wait()

    holders = [asyncio.create_task(hold()) for _ in range(3)]
    for _ in holders:
        await held.acquire()
    with monkeypatch.context() as hurried:
        hurried.setattr("projections.database.WAIT_SECONDS", 0.05)
        with pytest.raises(ServiceUnavailable):
            await scalar(database, "select 1")
    left = asyncio.create_task(scalar(database, "select 1"))
    await asyncio.sleep(0.01)
    # What it is given at the moment of its end goes to who comes next.
    free.set()
    left.cancel()
    await asyncio.gather(*holders)
    assert await asyncio.gather(*(scalar(database, "select 1") for _ in range(9))) == [1] * 9
    assert database.statistics()["pool_available"] == database.statistics()["pool_size"] <= 3


async def test_who_holds_a_connection_need_not_wait_for_another(database: Database) -> None:
    async def nested() -> None:
        async with database.transaction() as outer:
            await outer.execute("select pg_sleep(0.02)")
            async with database.connection() as inner:
                assert inner is not outer
                await inner.execute("select 1")

    # Nobody comes to an end here who has to wait.
    async with asyncio.timeout(60):
        await asyncio.gather(*(nested() for _ in range(12)))
    assert database.statistics()["pool_available"] == database.statistics()["pool_size"] <= 3


async def test_kept_connections_are_shown_to_the_pool(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scalar(database, "select 1")
    asked = database.statistics()["requests_num"]
    for _ in range(5):
        await scalar(database, "select 1")
    assert database.statistics()["requests_num"] == asked
    monkeypatch.setattr("projections.database.KEPT_SECONDS", 0.0)
    for _ in range(5):
        await scalar(database, "select 1")
    assert database.statistics()["requests_num"] == asked + 4


async def test_a_connection_lost_in_use_is_unavailability(database: Database, database_url: str) -> None:
    async def lose_the_connection() -> None:
        async with database.connection() as connection:
            with psycopg.connect(database_url, autocommit=True) as other:
                other.execute("select pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
            await connection.execute("select 1")

    with pytest.raises(ServiceUnavailable) as caught:
        await lose_the_connection()
    assert caught.value.status == 503
    assert caught.value.retry_after >= 1
    assert await scalar(database, "select 1") == 1


@pytest.mark.parametrize(
    "url", ["postgresql://no@127.0.0.1:1/none", "postgresql://no@127.0.0.1:1/none?sslmode=odd", "what"]
)
async def test_no_server_is_one_clear_line(url: str) -> None:
    with pytest.raises(ServiceUnavailable) as caught:
        await Database.open(url)
    assert "\n" not in caught.value.message


def test_statements_have_names_and_purposes(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "good": "-- name: one\n-- Gives one.\nselect 1;\n\n-- name: two\n-- Gives two.\nselect\n    2",
        "silent": "-- name: one\nselect 1;",
        "twice": "-- name: one\n-- One.\nselect 1;\n-- name: one\n-- One.\nselect 1;",
        "early": "select 0;\n-- name: one\n-- One.\nselect 1;",
        "none": "select 1;",
    }
    monkeypatch.setattr(sql, "_text", texts.__getitem__)
    assert {name: text.as_string() for name, text in sql.load("good").items()} == {
        "one": "select 1",
        "two": "select\n    2",
    }
    for wrong in ("silent", "twice", "early", "none"):
        with pytest.raises(sql.StatementError):
            sql.load(wrong)
