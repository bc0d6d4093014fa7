"""What going back costs: `python -m bench time`, and whether it is right: `python -m bench life`.

Both run on an embedded PostgreSQL of their own in a temporary folder, durability on.
"""

from __future__ import annotations

import asyncio
import functools
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from cli.postgres.place import installed_programs
from cli.postgres.server import SUPERUSER, running
from domain.access.caller import Caller
from domain.access.command import Command
from domain.access.rights import ADMINISTRATOR
from domain.query.limits import QueryLimits
from domain.settings import Settings
from projections.database import Connection, Database
from projections.log.prepare import extend
from projections.log.snapshots import take_snapshots
from projections.log.verify import verify
from projections.prepare import prepare
from projections.reading.past import PastReader
from projections.reading.reader import Reader
from projections.schema.service import SchemaService
from projections.tables.item_writer import ItemWriter
from projections.tables.store import ModelStore
from projections.time.beside import into_schema
from projections.time.in_place import Scope, restore
from projections.time.into import IntoDatabase
from projections.time.moments import cut_at, settle
from services.archive.archiver import Archiver
from services.storage.locations import Locations
from tests.support.life import Life
from tests.support.project import Project
from tests.support.samples import load, structure
from workers.history import Histories

TABLES = """
    create table public.authors (id int primary key, name text);
    insert into public.authors select n, 'Author ' || n from generate_series(1, 1000) n;
    create table public.articles (
        id int primary key, title text, body text, status text, author int references public.authors,
        views int, price numeric, at timestamptz
    );
    insert into public.articles
    select n, 'Title number ' || n, repeat('lorem ipsum ', 15), 'draft', 1 + n %% 1000, 0, 12.5, now()
    from generate_series(1, %(items)s) n;
    create index on public.articles (author);
"""
BEGIN = """
    insert into acta.events (topic, collection, item, payload)
    select 'item.created', 'authors', id::text, to_jsonb(a) from public.authors a;
    insert into acta.events (topic, collection, item, payload)
    select 'item.created', 'articles', id::text, to_jsonb(a) from public.articles a;
    insert into acta.adoptions (collection, finished_at) values ('authors', now()), ('articles', now());
"""
EDIT = """
    with written as (
        update public.articles set views = views + 1, title = 'Title ' || (random() * 1000)::int
        where id %% %(share)s = 0 returning *
    )
    insert into acta.events (topic, collection, item, payload, meta)
    select 'item.updated', 'articles', id::text, jsonb_build_object('views', views, 'title', title),
           '{"fields": ["views", "title"]}'
    from written
"""
ONE = """
    with written as (update public.articles set views = views + 1 where id = 1 returning *)
    insert into acta.events (topic, collection, item, payload)
    select 'item.updated', 'articles', '1', jsonb_build_object('views', views) from written
"""
NESTED = urlencode(
    {"fields": "id,title,author.name", "filter[author][_eq]": "17", "sort": "-id", "limit": "50"}
)
SIZES = """
    select sum(pg_total_relation_size(inhrelid)), pg_total_relation_size('acta.seals')
    from pg_inherits where inhparent = 'acta.events'::regclass
"""
VERSIONS = 5000

Say = Callable[[str], None]


async def volume(events: int, items: int, say: Say) -> None:
    """Measure on so many events of so many items."""
    with own_server() as admin:
        url = create_database(admin, "acta_bench_time")
        async with await Database.open(url, maximum=8) as database:
            await prepare(database)
            store = await ModelStore.open(database)
            async with database.connection() as connection:
                for statement in TABLES.split(";")[:-1]:
                    await connection.execute(
                        statement.encode(), {"items": items} if "%(" in statement else None
                    )
                for statement in BEGIN.split(";")[:-1]:
                    await connection.execute(statement.encode())
                for _ in range(events // items - 1):
                    await extend(database)
                    await connection.execute(EDIT.encode(), {"share": 1})
                    await settle(database)
            await store.refresh()
            await _measure(database, store, url, admin, say)
            await _archive(database, say)


async def _measure(database: Database, store: ModelStore, url: str, admin: str, say: Say) -> None:
    await settle(database)
    outcome = None
    began = time.perf_counter()
    outcome = await verify(database)
    took = time.perf_counter() - began
    say(f"verify: {outcome.position / took:,.0f} events/s ({outcome.position:,} events, {outcome.finding})")
    async with database.connection() as connection:
        await connection.execute("vacuum analyze")
        total, seals = await _sizes(connection)
        each = (total / outcome.position, seals / outcome.position)
        say(f"bytes an event: {each[0]:,.0f} in the log, {each[1]:,.0f} in seals")
        then = await cut_at(connection, outcome.position)
        before = await cut_at(connection, outcome.position // 2)
    await _timed(
        say, "everything into a schema", lambda: into_schema(database, then, "past", ["public"], _quiet)
    )
    await _timed(
        say,
        "half of the log into a schema",
        lambda: into_schema(database, before, "half", ["public"], _quiet),
    )
    target_url = create_database(admin, "acta_bench_target")
    async with await Database.open(target_url) as target:
        restoring = IntoDatabase(database, target, then, ["public"], _quiet)
        await _timed(say, "everything into a database, log included", restoring.run)
    async with database.connection() as connection:
        await connection.execute(EDIT.encode(), {"share": 100})
    await settle(database)
    service = SchemaService(database, store)
    await _timed(
        say, "in place, 1 % changed since", lambda: restore(service, Command.internal(), then, Scope())
    )
    await _single(database, say)
    await _past(database, store, url, then.position, say)


async def _sizes(connection: Connection) -> tuple[int, int]:
    row = await (await connection.execute(SIZES)).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


async def _single(database: Database, say: Say) -> None:
    async with database.connection() as connection:
        for _ in range(VERSIONS):
            await connection.execute(ONE.encode())
    await settle(database)
    async with database.connection() as connection:
        row = await (await connection.execute("select max(last_position) from acta.seals")).fetchone()
        assert row is not None
        await take_snapshots(connection, row[0] - VERSIONS - 10, VERSIONS + 10)
        for item, what in ((1, f"state of an item with {VERSIONS} versions"), (2, "state of an item")):
            times = []
            for _ in range(20):
                began = time.perf_counter()
                await connection.execute(
                    "select acta.item_state_v1('articles', %s, 9223372036854775807)", [str(item)]
                )
                times.append(time.perf_counter() - began)
            say(f"{what}: {statistics.median(times) * 1000:.1f} ms")


async def _past(database: Database, store: ModelStore, url: str, position: int, say: Say) -> None:
    reader = Reader(database, QueryLimits())
    past = PastReader(database, reader, 0)
    follower = Histories(["*"], ["public"], [])
    async with database.connection() as connection:
        await connection.execute("insert into acta.cursors (name, position) values ('history', 0)")

    async def keep() -> None:
        while await follower.step(database, 10**9):
            pass

    await _timed(say, "making the histories", keep)
    model = store.current
    now = await _rate(lambda: reader.list(model, ADMINISTRATOR, Caller(), "articles", NESTED))
    for part, moment in (("a late moment", position), ("one in the middle", position // 2)):
        query = f"{NESTED}&as_of={moment}"
        then = await _rate(functools.partial(past.list, model, ADMINISTRATOR, Caller(), "articles", query))
        say(f"nested list: {now:,.0f}/s now, {then:,.0f}/s as of {part} ({then / now:.2f})")


async def _archive(database: Database, say: Say) -> None:
    """Close the partition, move it into files, verify from those, and bring it back."""
    async with database.connection() as connection:
        await connection.execute("delete from acta.cursors where name = 'history'")
        await connection.execute(
            "select setval('acta.events_seq_seq', ((last_value / 10000000) + 1) * 10000000)"
            " from acta.events_seq_seq"
        )
    with tempfile.TemporaryDirectory(prefix="acta-archive-") as folder:
        archiver = Archiver(database, Locations(Settings.parse({"STORAGE_LOCAL_ROOT": folder}).storage))
        for partition in await archiver.closed():
            await _timed(
                say, "archiving a partition", functools.partial(archiver.archive, partition, "local")
            )
        made = await archiver.archives()
        events = sum(one.events for one in made)
        sizes = [sum(one.table_bytes for one in made) / events, sum(one.bytes for one in made) / events]
        async with database.connection() as connection:
            sizes.append((await _sizes(connection))[0] / events)
        say(f"bytes an event: {sizes[0]:,.0f} before, {sizes[1]:,.0f} in files, {sizes[2]:,.0f} kept")
        began = time.perf_counter()
        outcome = await verify(database, source=archiver.rows)
        took = time.perf_counter() - began
        say(f"verify from files: {outcome.position / took:,.0f} events/s ({outcome.finding})")
        await _timed(say, "an item's history from files", lambda: archiver.item("articles", "77"))
        for archive in made:
            await _timed(say, "recalling a partition", functools.partial(archiver.recall, archive))


async def _rate(ask: Callable[[], Awaitable[object]], seconds: float = 3) -> float:
    await ask()
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        await ask()
        count += 1
    return count / (time.perf_counter() - began)


async def _timed(say: Say, what: str, run: Callable[[], Awaitable[object]]) -> None:
    began = time.perf_counter()
    await run()
    say(f"{what}: {time.perf_counter() - began:.2f} s")


async def life(changes: int, moments: int, seed: int, say: Say) -> None:
    """Chinook lives at random; each remembered moment is restored into a database and compared.

    Raises AssertionError where a row differs, or what `pg_dump --schema-only` tells.
    """
    with own_server() as admin:
        url = create_database(admin, "acta_bench_life")
        load("chinook", url, installed_programs())
        async with await Database.open(url, maximum=8) as database:
            await prepare(database)
            project = await _project(database, url)
            await _adopt(url)
            living = Life(project, seed)
            remembered = []
            async for number in living.changes(changes):
                if number % (changes // moments) == 0:
                    dumped = structure(url, installed_programs())
                    remembered += [(await project.now(), await project.everything(), dumped)]
            say(f"{living.done}, {len(remembered)} moments")
            for number, (position, then, dumped) in enumerate(remembered):
                async with database.connection() as connection:
                    cut = await cut_at(connection, position)
                target_url = create_database(admin, "acta_bench_target")
                async with await Database.open(target_url) as target:
                    missing = await IntoDatabase(database, target, cut, ["public"], _quiet).run()
                    restored = await _project(target, target_url)
                    now = await restored.everything()
                    assert now == then, (position, _different(now, then))
                    assert missing == []
                assert structure(target_url, installed_programs()) == dumped, position
                say(f"moment {number + 1}, position {position}: equal")


def _different(one: dict[str, list[Any]], other: dict[str, list[Any]]) -> Any:
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) != other.get(name):
            ours = [row for row in one.get(name, []) if row not in other.get(name, [])]
            theirs = [row for row in other.get(name, []) if row not in one.get(name, [])]
            return name, ours[:3], theirs[:3]
    return None


async def _project(database: Database, url: str) -> Project:
    store = await ModelStore.open(database)
    reader = Reader(database, QueryLimits())
    writer = ItemWriter(database, reader, Settings.parse({}))
    return Project(url, database, store, SchemaService(database, store), reader, writer)


async def _adopt(url: str) -> None:
    from tests.support.server import acta

    done = await asyncio.to_thread(acta, url, "adopt", "--quiet")
    assert done.returncode == 0, done.stderr


def create_database(admin: str, name: str) -> str:
    """The URL of a new database."""
    with psycopg.connect(admin, autocommit=True) as connection:
        identifier = sql.Identifier(name)
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(identifier))
        connection.execute(sql.SQL("create database {} template template0").format(identifier))
    return make_conninfo(admin, dbname=name)


@contextmanager
def own_server(*, tcp: bool = False) -> Iterator[str]:
    """URL of an administrative database of a server that is there for the block."""
    with tempfile.TemporaryDirectory(prefix="acta-bench-") as folder:
        # As root the server runs as another user, who has to pass through.
        Path(folder).chmod(0o711)
        with running(Path(folder), say=print, options=("max_wal_size=8GB",), die_with_parent=True) as server:
            yield server.tcp_url(SUPERUSER) if tcp else server.url(SUPERUSER)


def _quiet(done: int, total: int, what: str) -> None:
    del done, total, what
