"""Whatever a schema command did is taken back from the log, data included."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from domain.access.command import Command
from domain.errors import InvalidPayload
from domain.model.snapshot import snapshot
from projections.database import Database
from projections.log.rebuild import compare
from projections.schema.service import SchemaService
from projections.tables.store import ModelStore
from projections.time.reconcile import reconcile
from tests.support.schema import Rows, all_rows, catalog_of, check_log, newest

PEOPLE = {
    "collection": "people",
    "schema": {},
    "meta": {"note": "who writes", "accountability": None},
    "fields": [
        {"field": "id", "type": "integer", "schema": {"has_auto_increment": True}, "meta": {"hidden": True}},
        {"field": "name", "type": "string", "schema": {"is_nullable": False, "max_length": 40}, "meta": {}},
    ],
}
TEXTS = {
    "collection": "texts",
    "schema": {},
    "meta": {"sort_field": "rank", "item_duplication_fields": ["title", "author.name"]},
    "fields": [
        {"field": "id", "type": "uuid", "schema": {"is_primary_key": True}, "meta": {"special": ["uuid"]}},
        {
            "field": "title",
            "type": "string",
            "schema": {"is_nullable": False, "is_unique": True, "default_value": "none"},
            "meta": {"validation": {"title": {"_nempty": True}}},
        },
        {"field": "rank", "type": "integer", "schema": {"is_indexed": True}, "meta": {}},
        {"field": "author", "type": "integer", "meta": {"special": ["m2o"]}},
        {"field": "data", "type": "json", "meta": {}},
    ],
}
RELATION = {
    "collection": "texts",
    "field": "author",
    "related_collection": "people",
    "schema": {"on_delete": "SET NULL"},
    "meta": {"one_field": "texts"},
}


@pytest.fixture
async def library(service: SchemaService, command: Command, rows: Rows) -> None:
    await service.create_collections(command, [PEOPLE, TEXTS])
    await service.create_relation(command, RELATION)
    alias = {"field": "texts", "type": "alias", "meta": {"special": ["o2m"]}}
    await service.create_field(command, "people", alias)
    await rows("insert into people (name) select 'person ' || n from generate_series(1, 20) as n")
    await rows(
        "insert into texts (id, title, rank, author, data) select gen_random_uuid(), 'text ' || n, n,"
        " 1 + n % 20, json_build_object('n', n) from generate_series(1, 200) as n"
    )


async def test_dropped_field_comes_back_with_its_values(
    library: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    before, tables = snapshot(store.current), await catalog_of(rows, "texts")
    data = await all_rows(rows, "texts")
    for field in ("title", "rank", "data"):
        await service.delete_field(command, "texts", field)
        assert field not in store.current.collections["texts"].fields
        await service.undo(command, await newest(rows))
        assert await all_rows(rows, "texts") == data
        assert await catalog_of(rows, "texts") == tables
        await check_log(rows, "texts")
    after = snapshot(store.current)
    assert sorted(map(str, after["fields"])) == sorted(map(str, before["fields"]))
    assert after["collections"] == before["collections"]


async def test_dropped_many_to_one_comes_back_with_relation_and_alias(
    library: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    before, data = snapshot(store.current), await all_rows(rows, "texts")
    await service.delete_field(command, "texts", "author")
    assert "texts" not in store.current.collections["people"].fields
    assert not [one for one in store.current.relations if one.collection == "texts"]
    await service.undo(command, await newest(rows))
    assert snapshot(store.current) == before
    assert await all_rows(rows, "texts") == data


async def test_rows_after_the_drop_get_the_default(
    library: None, service: SchemaService, command: Command, rows: Rows
) -> None:
    body = {"field": "state", "type": "string", "schema": {"default_value": "new", "is_nullable": False}}
    await service.create_field(command, "people", body)
    await rows("update people set state = 'old' where id <= 10")
    await service.delete_field(command, "people", "state")
    dropped = await newest(rows)
    await rows("insert into people (name) values ('latecomer')")
    await service.undo(command, dropped)
    found = await rows("select state, count(*) from people group by 1 order by 1")
    assert found == [("new", 11), ("old", 10)]
    await check_log_after_adoption(service, command, rows)


async def check_log_after_adoption(service: SchemaService, command: Command, rows: Rows) -> None:
    await service.delete_field(command, "people", "state")
    await service.undo(command, await newest(rows))
    assert (await rows("select count(*) from people where state = 'old'"))[0][0] == 10


async def test_dropped_collection_comes_back(
    library: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    async with service.work(command) as work:
        await work.insert("directus_presets", {"collection": "texts", "bookmark": "mine"})
    before, tables = snapshot(store.current), await catalog_of(rows, "texts")
    data = await all_rows(rows, "texts")
    await service.delete_collection(command, "texts")
    assert "texts" not in store.current.collections
    assert "texts" not in store.current.collections["people"].fields
    dropped = await newest(rows)
    await service.delete_collection(command, "people")
    with pytest.raises(InvalidPayload):
        await service.undo(command, dropped)
    await service.undo(command, await newest(rows))
    await service.undo(command, dropped)
    assert snapshot(store.current) == before
    assert await all_rows(rows, "texts") == data
    assert await catalog_of(rows, "texts") == tables
    assert await rows("select bookmark from acta.directus_presets") == [("mine",)]
    await check_log(rows, "texts")


async def test_numbering_goes_on_where_it_was(
    library: None, service: SchemaService, command: Command, rows: Rows
) -> None:
    await service.delete_collection(command, "texts")
    await service.delete_collection(command, "people")
    await service.undo(command, await newest(rows))
    assert await rows("insert into people (name) values ('next') returning id") == [(21,)]


async def test_a_name_used_again_does_not_mix_lives(
    service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    await service.create_collections(command, PEOPLE)
    await rows("insert into people (name) values ('first life')")
    await service.delete_collection(command, "people")
    first = await newest(rows)
    await service.create_collections(command, PEOPLE)
    await rows("insert into people (name) values ('second life')")
    await service.delete_collection(command, "people")
    second = await newest(rows)
    await service.undo(command, first)
    assert await rows("select name from people") == [("first life",)]
    await check_log(rows, "people")
    await service.delete_collection(command, "people")
    await service.undo(command, second)
    assert await rows("select name from people") == [("second life",)]
    await check_log(rows, "people")


async def test_a_field_name_used_again_does_not_mix_values(
    library: None, service: SchemaService, command: Command, rows: Rows
) -> None:
    await service.delete_field(command, "texts", "rank")
    await service.create_field(command, "texts", {"field": "rank", "type": "integer", "meta": {}})
    await check_log(rows, "texts")
    plain = (
        "select count(*) from (select acta.fold(payload order by seq) ->> 'rank' as rank from acta.events"
        " where collection = 'texts' and topic like 'item.%' group by item) as folded where rank is not null"
    )
    assert await rows(plain) == [(0,)]


async def test_defaults_of_new_fields_are_in_the_log(
    library: None, service: SchemaService, command: Command, rows: Rows
) -> None:
    await service.rename(command, {"collection": "texts", "name": "pages"})
    for name, kind, default in (
        ("n", "integer", 5),
        ("u", "uuid", "gen_random_uuid()"),
        ("t", "timestamp", "now()"),
    ):
        body = {"field": name, "type": kind, "schema": {"default_value": default}, "meta": {}}
        await service.create_field(command, "pages", body)
    await check_log(rows, "pages")
    assert await rows("select count(distinct u), count(distinct t), min(n) from pages") == [(200, 1, 5)]


async def test_creations_are_undone_and_redone(
    library: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    before = snapshot(store.current)
    body = {"field": "mail", "type": "string", "schema": {"is_unique": True}, "meta": {"note": "n"}}
    await service.create_field(command, "people", body)
    await rows("update people set mail = 'm' || id")
    with_mail = snapshot(store.current)
    await service.undo(command, await newest(rows))
    assert snapshot(store.current) == before
    await service.undo(command, await newest(rows))
    assert snapshot(store.current) == with_mail
    assert (await rows("select mail from people where id = 7")) == [("m7",)]


async def test_a_lossy_conversion_is_undone(
    library: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    before, data = snapshot(store.current), await all_rows(rows, "people")
    await service.update_field(
        command, "people", "name", {"schema": {"max_length": 7}, "meta": {"note": "short"}}
    )
    assert (await rows("select name from people where id = 12")) == [("person ",)]
    converted = await newest(rows)
    await rows("update people set name = 'changed' where id = 13")
    await service.undo(command, converted)
    assert snapshot(store.current) == before
    found = {row["id"]: row["name"] for row in await all_rows(rows, "people")}
    assert found.pop(13) == "changed"
    assert found == {row["id"]: row["name"] for row in data if row["id"] != 13}
    await check_log(rows, "people")


async def test_changed_relation_is_undone(
    library: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    before = snapshot(store.current)
    await service.update_relation(command, "texts", "author", {"schema": {"on_delete": "CASCADE"}})
    await service.undo(command, await newest(rows))
    assert snapshot(store.current) == before
    await service.delete_relation(command, "texts", "author")
    await service.undo(command, await newest(rows))
    assert snapshot(store.current) == before


async def test_what_is_no_schema_change_is_refused(
    library: None, service: SchemaService, command: Command, rows: Rows
) -> None:
    await rows(
        "insert into acta.events (topic, collection, item) values ('user.login', 'directus_users', 'x')"
    )
    before = await newest(rows)
    for event in (before, before + 1000):
        with pytest.raises(InvalidPayload):
            await service.undo(command, event)
    assert await newest(rows) == before


async def test_dry_undo_changes_nothing(
    library: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    await service.delete_field(command, "texts", "rank")
    before = await newest(rows)
    found = await service.undo(command, before, dry=True)
    assert any("ADD COLUMN" in statement for statement in found["statements"])
    assert await newest(rows) == before
    assert "rank" not in store.current.collections["texts"].fields


async def test_undo_of_100_000_rows(
    library: None,
    command: Command,
    rows: Rows,
    store: ModelStore,
    database: Database,
    record_property: Any,
) -> None:
    # Autovacuum gives a table up after a second, which is longer than the other tests let DDL wait.
    service = SchemaService(database, store)
    await rows(
        "insert into texts (id, title, rank, author, data) select gen_random_uuid(), 'text ' || n, n,"
        " 1 + n % 20, json_build_object('n', n) from generate_series(201, 100000) as n"
    )
    total = (
        "select count(*), sum(rank), sum(author), sum((data ->> 'n')::int), count(distinct title) from texts"
    )
    for name in ("people", "texts"):
        await reconcile(database, store.current.collections[name])
    before, model, tables = await rows(total), snapshot(store.current), await catalog_of(rows, "texts")
    drops: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("field", lambda: service.delete_field(command, "texts", "rank")),
        ("relation", lambda: service.delete_field(command, "texts", "author")),
        ("collection", lambda: service.delete_collection(command, "texts")),
    ]
    for name, drop in drops:
        began = time.perf_counter()
        await drop()
        dropped = time.perf_counter()
        await service.undo(command, await newest(rows))
        seconds = time.perf_counter() - dropped
        record_property(
            f"{name} of 100,000 rows", f"dropped in {dropped - began:.2f} s, back in {seconds:.2f} s"
        )
        assert (await rows(total), await catalog_of(rows, "texts")) == (before, tables)
        after = snapshot(store.current)
        for part in ("collections", "fields", "relations"):
            assert sorted(map(str, after[part])) == sorted(map(str, model[part]))
        assert seconds < 30
    compared = [one async for one in compare(database, store.current)]
    assert {one.rows for one in compared if one.collection == "texts"} == {100_000}
    assert [one.collection for one in compared if one.differing] == []
