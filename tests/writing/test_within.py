"""A write needs no second connection while it holds one: with many writes at once there would be none."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from domain.access.rights import Rule
from domain.query.limits import QueryLimits
from domain.settings import Settings
from projections.database import Database
from projections.reading.reader import Reader
from projections.tables.item_writer import ItemWriter
from tests.support.writing import USER, Bench, limited

ALL = Rule(None)
SEEING = UUID("22222222-2222-4222-8222-222222222222")


async def test_guards_ask_on_the_connection_of_the_write(
    bench: Bench, settings: Settings, database_url: str
) -> None:
    await bench.create("authors", {"name": "Ann"})
    await bench.sql("insert into acta.directus_collections (collection) values ('authors')")
    await bench.create("directus_policies", {"name": "all", "admin_access": True})
    await bench.create(
        "directus_users", *({"id": str(user), "email": f"{user}@example.com"} for user in (USER, SEEING))
    )
    await bench.sql(
        'insert into acta.directus_access (id, policy, "user") select gen_random_uuid(), id, %s'
        " from acta.directus_policies where name = 'all'",
        SEEING,
    )
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
