"""What a large model costs, and what taking schema changes back costs: `python -m bench model`.

Runs on an embedded PostgreSQL of its own in a temporary folder, durability on. Reads of items are measured on
two servers in turns, one with a model of two tables and one with a thousand, so that whatever else the
machine does meets both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from bench import load
from bench.cases import Case
from bench.results import Result
from bench.servers import acta_server
from bench.time import create_database, own_server
from domain.access.command import Command
from projections.database import Database
from projections.log.rebuild import comparable, compare
from projections.prepare import prepare
from projections.schema.service import SchemaService
from projections.tables.introspect import load_model
from projections.tables.store import ModelStore
from projections.time.reconcile import reconcile
from tests.model.test_speed import TABLES
from tests.schema.test_undo import PEOPLE, RELATION, TEXTS

ROWS = 100_000
FEW, MANY = "few", "many"
_TEXTS = """
    insert into people (name) select 'person ' || n from generate_series(1, 1000) as n;
    insert into texts (id, title, rank, author, data)
    select gen_random_uuid(), 'text ' || n, n, 1 + n %% 1000, json_build_object('n', n)
    from generate_series(1, %s) as n
"""
_SUMS = (
    "select count(*), sum(rank), sum(author), sum((data ->> 'n')::bigint), count(distinct title) from texts"
)
_FIRST_ROWS = sql.SQL("insert into {} (title) select 'row ' || n from generate_series(1, 1000) as n")

Say = Callable[[str], None]


async def undo(rounds: int, say: Say) -> list[Result]:
    """Drop a field and a collection of 100,000 rows with a relation, and bring both back.

    Raises AssertionError when anything is not as before, or the log does not fold to the tables.
    """
    results = []
    with own_server() as admin:
        async with await Database.open(create_database(admin, "acta_bench_undo"), maximum=8) as database:
            await prepare(database)
            store = await ModelStore.open(database)
            service, command = SchemaService(database, store), Command.internal
            await _library(database, service)
            for name in ("people", "texts"):
                await reconcile(database, store.current.collections[name])
            before = await _row(database, _SUMS)
            drops: dict[str, Callable[[], Awaitable[None]]] = {
                "a field": lambda: service.delete_field(command(), "texts", "rank"),
                "a collection with a relation": lambda: service.delete_collection(command(), "texts"),
            }
            for what, drop in drops.items():
                gone = Result(f"drop {what} of {ROWS:,} rows", "s", less_is_better=True)
                back = Result(f"bring {what} of {ROWS:,} rows back", "s", less_is_better=True)
                for _ in range(rounds):
                    gone.add("acta", await _seconds(drop))
                    event = await _newest(database)
                    back.add("acta", await _seconds(partial(service.undo, command(), event)))
                    assert await _row(database, _SUMS) == before
                results += [gone, back]
                say(f"{what}: gone and back {rounds} times")
            async for one in compare(database, store.current):
                assert not one.differing, f"{one.collection}: {one.sample}"
            say(f"{len(comparable(store.current))} collections: the log folds to the tables")
    return results


async def _library(database: Database, service: SchemaService) -> None:
    command = Command.internal()
    await service.create_collections(command, [PEOPLE, TEXTS])
    await service.create_relation(command, RELATION)
    alias = {"field": "texts", "type": "alias", "meta": {"special": ["o2m"]}}
    await service.create_field(command, "people", alias)
    async with database.connection() as connection:
        for statement in _TEXTS.split(";"):
            await connection.execute(statement.encode(), [ROWS] if "%s" in statement else None)
        await connection.execute("analyze")


async def thousand(rounds: int, seconds: float, work: Path, say: Say) -> list[Result]:
    """Load and change a model of 1,000 tables; read items beside it and beside a model of two."""
    loads = Result("load a model of 1,000 tables x 20 columns", "s", goal_value=0.5, less_is_better=True)
    changes = Result("one more field in a model of 1,000 tables", "s", goal_value=0.2, less_is_better=True)
    with own_server() as admin:
        urls = {
            FEW: create_database(admin, "acta_bench_few"),
            MANY: create_database(admin, "acta_bench_many"),
        }
        for side, url in urls.items():
            await _fill(url, 2 if side == FEW else 1000)
        async with await Database.open(urls[MANY], maximum=8) as database:
            async with database.connection() as connection:
                for _ in range(rounds):
                    loads.add("acta", await _seconds(lambda: load_model(connection, schemas=("public",))))
            service = SchemaService(database, await ModelStore.open(database))
            for number in range(rounds):
                body = {"field": f"more_{number}", "type": "string", "meta": {}}
                add = partial(service.create_field, Command.internal(), "t500", body)
                changes.add("acta", await _seconds(add))
        say("loaded and changed")
        return [loads, changes, *await asyncio.to_thread(_reads, urls, rounds, seconds, work, say)]


def _reads(urls: dict[str, str], rounds: int, seconds: float, work: Path, say: Say) -> list[Result]:
    """Rates of both servers; the goal is a share of that beside a small model."""
    cases = [
        Case("model_item", "item by id beside 1,000 tables", "/items/t2/7"),
        Case(
            "model_list",
            "list 50 beside 1,000 tables",
            "/items/t2?limit=50&sort=-id&fields=id,title,ref.title",
        ),
    ]
    results = [Result(case.title, case.unit, goal_limit=0.95) for case in cases]
    servers = {side: acta_server(url, work / side) for side, url in urls.items()}
    try:
        for server in servers.values():
            server.first = "/items/t2/7"
            server.start()
        for number in range(rounds):
            for case, result in zip(cases, results, strict=True):
                result.add("limit", load.rate(case, servers[FEW].url, seconds, work))
                result.add("acta", load.rate(case, servers[MANY].url, seconds, work))
            say(f"round {number + 1} of {rounds} done")
    finally:
        for server in servers.values():
            server.stop()
    return results


async def _fill(url: str, tables: int) -> None:
    async with await Database.open(url) as database:
        await prepare(database)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in TABLES.replace("1000", str(tables)).split("$$;"):
            connection.execute((statement + ("$$" if "$$" in statement else "")).encode())
        for number in (1, 2):
            connection.execute(_FIRST_ROWS.format(sql.Identifier(f"t{number}")))
        connection.execute("update t2 set ref = id")
        connection.execute("analyze")


async def _seconds(run: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await run()
    return time.perf_counter() - began


async def _newest(database: Database) -> int:
    return int((await _row(database, "select max(seq) from acta.events"))[0])


async def _row(database: Database, query: str) -> tuple[Any, ...]:
    async with database.connection() as connection:
        row = await (await connection.execute(query.encode())).fetchone()
    assert row is not None
    return row
