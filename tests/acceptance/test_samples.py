"""Two databases that were there before us: adopted, served, changed through the API, and still themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from tests.support.http import Client, client
from tests.support.samples import load, schema_dump
from tests.support.server import acta, running_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CHINOOK: dict[str, dict[str, Any]] = {
    "album": {"title": "Changed"},
    "artist": {"name": "Changed"},
    "customer": {"company": "Changed"},
    "employee": {"title": "Changed"},
    "genre": {"name": "Changed"},
    "invoice": {"billing_city": "Changed"},
    "invoice_line": {"quantity": 7},
    "media_type": {"name": "Changed"},
    "playlist": {"name": "Changed"},
    "track": {"composer": "Changed"},
}
CHINOOK_COMPOSITE = ("playlist_track",)
PAGILA: dict[str, dict[str, Any]] = {
    "actor": {"last_name": "CHANGED"},
    "address": {"district": "Changed"},
    "category": {"name": "Changed"},
    "city": {"city": "Changed"},
    "country": {"country": "Changed"},
    "customer": {"email": "changed@example.com"},
    "film": {"title": "CHANGED", "rating": "NC-17", "special_features": ["Trailers", 'a "quoted" one']},
    "inventory": {"store_id": 2},
    "language": {"name": "Changed".ljust(20)},
    "payment": {"amount": "7.25"},
    "rental": {"return_date": "2007-03-04T05:06:07"},
    "staff": {"username": "changed"},
    "store": {"address_id": 3},
}
PAGILA_COMPOSITE = ("film_actor", "film_category")
PAGILA_VIEWS = {
    "actor_info",
    "customer_list",
    "film_list",
    "nicer_but_slower_film_list",
    "sales_by_film_category",
    "sales_by_store",
    "staff_list",
}
# What a copy of a row needs changed because of unique indexes that the copy would violate.
DISTINCT: dict[str, dict[str, Any]] = {
    "rental": {"rental_date": "2007-09-09T09:09:09"},
    "store": {"manager_staff_id": None},
}


async def test_chinook(database_url: str, postgres_programs: Path) -> None:
    load("chinook", database_url, postgres_programs)
    before = schema_dump(database_url, postgres_programs)
    adopted = acta(database_url, "adopt")
    assert adopted.returncode == 0, adopted.stderr
    with running_server(database_url) as server:
        async with client(server) as api:
            assert await user_collections(api) == {*CHINOOK, *CHINOOK_COMPOSITE}
            for collection, change in CHINOOK.items():
                await life_of_an_item(api, database_url, collection, change)
            for collection in CHINOOK_COMPOSITE:
                await life_of_a_composite_key(api, database_url, collection, None)
    assert schema_dump(database_url, postgres_programs) == before
    check_log(database_url)


async def test_pagila(database_url: str, postgres_programs: Path) -> None:
    load("pagila", database_url, postgres_programs)
    before = schema_dump(database_url, postgres_programs)
    adopted = acta(database_url, "adopt")
    assert adopted.returncode == 0, adopted.stderr
    with running_server(database_url) as server:
        async with client(server) as api:
            assert await user_collections(api) == {*PAGILA, *PAGILA_COMPOSITE, *PAGILA_VIEWS}
            for view in sorted(PAGILA_VIEWS):
                assert len((await api.get(f"/items/{view}", limit="3")).data) > 0, view
            staff = (await api.get("/items/staff/1")).data
            manager = await api.post(
                "/items/staff", {**without(staff, "staff_id", "picture"), "username": "new"}
            )
            DISTINCT["store"]["manager_staff_id"] = manager.data["staff_id"]
            for collection, change in PAGILA.items():
                await life_of_an_item(api, database_url, collection, change)
            for collection in PAGILA_COMPOSITE:
                await life_of_a_composite_key(
                    api, database_url, collection, {"last_update": "2001-01-01T00:00:00"}
                )
    assert schema_dump(database_url, postgres_programs) == before
    check_log(database_url)


async def user_collections(api: Client) -> set[str]:
    listed = (await api.get("/collections")).data
    return {entry["collection"] for entry in listed if not entry["collection"].startswith("directus_")}


async def life_of_an_item(api: Client, database_url: str, collection: str, change: dict[str, Any]) -> None:
    """Copy the first item, change the copy, delete it; the log holds what the table holds at each step."""
    first = (await api.get(f"/items/{collection}", limit="1")).data[0]
    key = next(iter(first))
    copy = {**without(first, key, "picture"), **DISTINCT.get(collection, {})}
    created = await api.post(f"/items/{collection}", copy)
    assert created.status == 200, (collection, created.body)
    text = str(created.data[key])
    filled = ("last_update", "fulltext")
    made = without(created.data, key, "picture", *filled)
    assert made == without(copy, *filled), collection
    assert event(database_url, collection, text) == (
        "item.created",
        row(database_url, collection, {key: text}),
    )
    changed = await api.patch(f"/items/{collection}/{text}", change)
    assert changed.status == 200, (collection, changed.body)
    assert {name: changed.data[name] for name in change} == change
    topic, payload = event(database_url, collection, text)
    stored = row(database_url, collection, {key: text})
    assert stored is not None
    assert topic == "item.updated"
    assert payload == {name: stored[name] for name in payload}
    assert set(change) <= set(payload)
    assert ("last_update" in stored) == ("last_update" in payload), collection
    assert (await api.delete(f"/items/{collection}/{text}")).status == 204
    assert event(database_url, collection, text)[0] == "item.deleted"
    assert row(database_url, collection, {key: text}) is None


async def life_of_a_composite_key(
    api: Client, database_url: str, collection: str, change: dict[str, Any] | None
) -> None:
    """Delete the first item, create it again, change it: its key in the URL is `a,b`."""
    first = (await api.get(f"/items/{collection}", limit="1")).data[0]
    keys = dict(list(first.items())[:2])
    text = ",".join(str(value) for value in keys.values())
    assert (await api.get(f"/items/{collection}/{text}")).data == first
    assert (await api.delete(f"/items/{collection}/{text}")).status == 204
    assert row(database_url, collection, keys) is None
    assert event(database_url, collection, text) == ("item.deleted", None)
    created = await api.post(f"/items/{collection}", first)
    assert created.status == 200, created.body
    assert event(database_url, collection, text) == ("item.created", row(database_url, collection, keys))
    if change:
        assert (await api.patch(f"/items/{collection}/{text}", change)).status == 200
        assert event(database_url, collection, text)[0] == "item.updated"


def without(item: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in names}


def event(database_url: str, collection: str, item: str) -> tuple[str, Any]:
    """Topic and payload of the newest event of an item."""
    with psycopg.connect(database_url, options="-c timezone=UTC") as connection:
        found = connection.execute(
            "SELECT topic, payload FROM acta.events"
            " WHERE collection = %s AND item = %s ORDER BY seq DESC LIMIT 1",
            (collection, item),
        ).fetchone()
    assert found is not None, (collection, item)
    return found[0], found[1]


def row(database_url: str, collection: str, keys: dict[str, Any]) -> dict[str, Any] | None:
    """The live row as JSON."""
    conditions = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value)) for name, value in keys.items()
    )
    query = sql.SQL("SELECT to_jsonb(t) AS row FROM public.{} t WHERE {}").format(
        sql.Identifier(collection), conditions
    )
    with psycopg.connect(database_url, options="-c timezone=UTC", row_factory=dict_row) as connection:
        found = connection.execute(query).fetchone()
    return found["row"] if found else None


def check_log(database_url: str) -> None:
    """The log folds to the tables, and its chain holds."""
    for command in (("rebuild", "--check"), ("verify",)):
        done = acta(database_url, *command)
        assert done.returncode == 0, done.stdout + done.stderr
