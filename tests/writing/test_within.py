"""What is asked inside the transaction of a write: on its connection, and without a trace when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from domain.access.caller import Caller
from domain.access.rights import Rule
from domain.errors import Forbidden
from domain.query.limits import QueryLimits
from domain.settings import Settings
from projections.bound import binding
from projections.database import Database
from projections.reading.reader import Reader
from projections.system.rights import RightsStore
from projections.tables.item_writer import ItemWriter
from projections.tables.store import ModelStore
from services.extensions.loading import Extensions
from services.flows.wiring import flows_for
from services.mail.wiring import post_of
from tests.support.writing import USER, Bench, limited

ALL = Rule(None)
SEEING = UUID("22222222-2222-4222-8222-222222222222")
GRANT = """
    insert into acta.directus_access (id, policy, "user") select gen_random_uuid(), id, %s
    from acta.directus_policies where name = 'all'
"""


class Undone(Exception):
    """What ends a transaction of the test without a commit."""


async def people(bench: Bench) -> None:
    """Two users, and a policy that permits everything, which nobody has."""
    await bench.create("directus_policies", {"name": "all", "admin_access": True})
    await bench.create(
        "directus_users", *({"id": str(user), "email": f"{user}@example.com"} for user in (USER, SEEING))
    )


async def test_guards_ask_on_the_connection_of_the_write(
    bench: Bench, settings: Settings, database_url: str
) -> None:
    await bench.create("authors", {"name": "Ann"})
    await bench.sql("insert into acta.directus_collections (collection) values ('authors')")
    await people(bench)
    await bench.sql(GRANT, SEEING)
    async with await Database.open(database_url, maximum=1) as narrow:
        bench.writer = ItemWriter(narrow, Reader(narrow, QueryLimits()), settings)
        on_first = {"collection": "authors", "item": "1"}
        await bench.create("directus_comments", {**on_first, "comment": f"@{SEEING} look"})
        told = await bench.sql("select recipient::text from acta.directus_notifications")
        assert told == [(str(SEEING),)]
        rights = limited(("authors", "share", ALL), ("directus_shares", "create", ALL))
        bench.command = replace(bench.command, rights=rights)
        await bench.create("directus_shares", {**on_first, "name": "mine"})
        assert await bench.sql("select item from acta.directus_shares") == [("1",)]


async def test_rights_that_were_never_committed_are_forgotten(bench: Bench) -> None:
    await people(bench)
    rights, caller = RightsStore(bench.database, Reader(bench.database, QueryLimits())), Caller(user=SEEING)
    with suppress(Undone):
        async with bench.database.transaction() as connection:
            await connection.execute(GRANT, [SEEING])
            with binding(connection):
                assert (await rights.standing(bench.model, caller)).admin
            raise Undone
    assert not (await rights.standing(bench.model, caller)).admin


async def test_who_is_told_within_a_write_takes_no_part_in_it(
    bench: Bench, settings: Settings, database_url: str
) -> None:
    """A filter sets off an action, waits for it, and refuses: the action saw and wrote on its own."""
    extensions, told = Extensions(), asyncio.Event()
    seen: list[int] = []

    async def refuse(payload: Any, meta: Mapping[str, Any], caller: Caller | None) -> Any:
        await inner.sql("insert into authors (name) values ('within')")
        wired.emitter.act(("told",), {}, None)
        async with asyncio.timeout(40):
            await told.wait()
        raise Forbidden()

    async def tell(meta: Mapping[str, Any], caller: Caller | None) -> None:
        [(count,)] = await inner.sql("select count(*) from authors")
        seen.append(count)
        await inner.sql("insert into tags (label) values ('told')")
        told.set()

    extensions.hooks.add_filter("posts.items.create", refuse)
    extensions.hooks.add_action("told", tell)
    await bench.define("create table tags (id serial primary key, label text)")
    async with await Database.open(database_url, maximum=2) as narrow, post_of(settings, narrow) as post:
        wired = flows_for(settings, narrow, await ModelStore.open(narrow), post, extensions)
        bench.writer.filtering.filters = wired.emitter
        inner = Bench(narrow, bench.writer, bench.model, bench.command)
        with pytest.raises(Forbidden):
            await bench.create("posts", {"title": "No"})
        await wired.emitter.close()
    assert seen == [0]
    assert await bench.sql("select label from tags") == [("told",)]
    assert await bench.sql("select name from authors") == []
