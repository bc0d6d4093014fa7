"""The current model: refreshed at once, heard of by others, loaded in parts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from psycopg import sql

from domain.model import Model
from projections.database import Database
from projections.tables import introspect
from projections.tables import store as store_module
from projections.tables.store import ModelStore
from tests.model.conftest import Execute


@contextlib.asynccontextmanager
async def watching(database: Database) -> AsyncIterator[ModelStore]:
    store = await ModelStore.open(database)
    task = asyncio.create_task(store.watch())
    await asyncio.wait_for(store.listening.wait(), 60)
    yield store
    task.cancel()
    await asyncio.wait([task])


@pytest.fixture
async def watched(prepared: Database) -> AsyncIterator[ModelStore]:
    """The store of another process: it only listens."""
    async with watching(prepared) as store:
        yield store


async def changed(store: ModelStore, name: str) -> None:
    """Wait until the store knows a collection."""
    async with asyncio.timeout(60):
        while name not in store.current.collections:
            await asyncio.sleep(0.002)


async def test_refresh_replaces_the_model_whole(prepared: Database, execute: Execute) -> None:
    store = await ModelStore.open(prepared)
    before = store.current
    heard: list[Model] = []
    store.on_change(heard.append)
    assert await store.refresh() is before
    await execute("create table one (id int primary key)")
    after = await store.refresh()
    assert store.current is after
    assert after.version > before.version
    assert "one" not in before.collections
    assert after.collections["directus_users"] is before.collections["directus_users"]
    assert heard == [after]


async def test_only_what_changed_is_made_anew(prepared: Database, execute: Execute) -> None:
    await execute(
        "create type mood as enum ('ok'); create table a (id int primary key, n int, m mood);"
        "create table b (id int primary key); create table c (id int primary key)"
    )
    store = await ModelStore.open(prepared)
    seen = [store.current]
    for statement in (
        "alter table a add column x text default 'y'",
        "alter table a alter column x set not null",
        "alter table a alter column x set default 'z'",
        "create index on a (x)",
        "alter table a add unique (n)",
        "comment on column a.x is 'c'",
        "alter table a rename column x to y",
        "alter type mood add value 'sad'",
        "insert into acta.directus_fields (collection, field, special) values ('a', 'y', 'conceal')",
        "update acta.directus_fields set special = 'hash' where field = 'y'",
        "delete from acta.directus_fields",
        "insert into acta.directus_collections (collection, icon) values ('a', 'box')",
        "alter table a rename to d",
        "drop table d",
    ):
        await execute(statement)
        seen.append(await store.refresh())
        assert seen[-1] is not seen[-2], statement
        if "mood" not in statement:
            assert seen[-1].collections["b"] is seen[-2].collections["b"]
    assert "d" not in store.current.collections
    assert seen[8].collections["a"].columns["m"].labels == ("ok", "sad")
    whole = await ModelStore.open(prepared)
    assert whole.current.collections == store.current.collections
    assert whole.current.relations == store.current.relations


async def test_an_open_transaction_can_look_ahead(prepared: Database) -> None:
    store = await ModelStore.open(prepared)
    async with prepared.transaction() as connection:
        await connection.execute("create table soon (id int primary key)")
        assert "soon" in (await store.preview(connection)).collections
        assert "soon" not in (await store.refresh()).collections
    assert "soon" in (await store.refresh()).collections


async def test_others_hear_of_a_change(prepared: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once: it would not have looked by itself."""
    monkeypatch.setattr(store_module, "LOOK_SECONDS", 600)
    async with watching(prepared) as watched:
        for number in range(5):
            name = f"told_{number}"
            async with prepared.transaction() as connection:
                await connection.execute(
                    sql.SQL("create table {} (id int primary key)").format(sql.Identifier(name))
                )
                await ModelStore.announce(connection)
            await changed(watched, name)


async def test_the_watch_comes_back(prepared: Database, watched: ModelStore) -> None:
    async with prepared.connection() as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
            " and (query ilike 'listen%' or query ilike '%pg_stat_get_tuples_inserted%')"
        )
        # While nobody listens, a change is announced to nobody.
        await connection.execute("create table unheard (id int primary key)")
    await changed(watched, "unheard")
    async with prepared.transaction() as connection:
        await connection.execute("create table heard (id int primary key)")
        await ModelStore.announce(connection)
    await changed(watched, "heard")


async def test_calls_at_once_share_loads(
    prepared: Database, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await ModelStore.open(prepared)
    loads = 0
    load = introspect.load

    async def counted(*arguments: object, **named: object) -> introspect.Loaded:
        nonlocal loads
        loads += 1
        return await load(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("projections.tables.store.load", counted)
    await execute("create table shared (id int primary key)")
    models = await asyncio.gather(*(store.refresh() for _ in range(20)))
    assert loads == 1
    assert all(model is store.current for model in models)
    running = asyncio.create_task(store.refresh())
    while loads == 1:
        await asyncio.sleep(0)
    # A load is under way: whoever comes now may mean something newer, and shares one more load.
    await execute("create table newer (id int primary key)")
    late = await asyncio.gather(*(store.refresh() for _ in range(20)))
    await running
    assert loads == 3
    assert all("newer" in model.collections for model in late)


async def test_many_changes_at_once_end_in_one_model(prepared: Database, watched: ModelStore) -> None:
    async def build(number: int) -> None:
        store = await ModelStore.open(prepared)
        for part in range(5):
            async with prepared.transaction() as connection:
                table = sql.Identifier(f"t_{number}_{part}")
                await connection.execute(sql.SQL("create table {} (id int primary key)").format(table))
                await ModelStore.announce(connection)
            assert f"t_{number}_{part}" in (await store.refresh()).collections

    await asyncio.gather(*(build(number) for number in range(8)))
    for number in range(8):
        await changed(watched, f"t_{number}_4")
    own = {name for name in watched.current.collections if name.startswith("t_")}
    assert own == {f"t_{number}_{part}" for number in range(8) for part in range(5)}
