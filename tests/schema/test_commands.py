"""Schema commands on a real database: what they make, and that a refused one leaves nothing behind."""

import asyncio
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from domain.access.caller import Caller
from domain.access.command import Command
from domain.access.rights import NOTHING
from domain.errors import (
    ContainsNullValues,
    Forbidden,
    InvalidForeignKey,
    InvalidPayload,
    RecordNotUnique,
    ServiceUnavailable,
    ValueTooLong,
)
from domain.model import wire
from domain.model.snapshot import snapshot
from projections.database import Database
from projections.schema.service import SchemaService
from projections.tables.store import ModelStore
from tests.support.schema import Rows, all_rows, catalog_of, check_log, newest

KEY = {"field": "id", "type": "integer", "schema": {"has_auto_increment": True}, "meta": {"hidden": True}}


def collection(name: str, *fields: dict[str, Any], **meta: Any) -> dict[str, Any]:
    return {"collection": name, "schema": {}, "meta": meta, "fields": [KEY, *fields]}


async def everything(rows: Rows, store: ModelStore) -> tuple[Any, ...]:
    """Log, model and tables, to be compared."""
    model = await store.refresh()
    tables = [(await catalog_of(rows, name)) for name in sorted(model.collections)]
    return await newest(rows), snapshot(model), wire.fields(model), tables


REFUSED_COLLECTIONS: list[Any] = [
    {},
    {"collection": ""},
    {"collection": 5},
    {"collection": "directus_mine", "schema": {}},
    {"collection": "a/b", "schema": {}},
    {"collection": "x" * 64, "schema": {}},
    {"collection": "there", "schema": {}},
    {"collection": "new", "schema": {}, "fields": {}},
    {"collection": "new", "schema": {}, "fields": [{"field": "a", "type": "nonsense"}]},
    {"collection": "new", "schema": {}, "fields": [{"type": "string"}]},
    {"collection": "new", "schema": {}, "fields": [{"field": "id", "type": "string"}]},
    {"collection": "new", "schema": {}, "fields": [{"field": "a", "type": "geometry"}]},
    {
        "collection": "new",
        "schema": {},
        "fields": [{"field": "a", "type": "integer", "schema": {"default_value": "five"}}],
    },
    {"collection": "new", "schema": {}, "meta": {"translations": "{broken"}},
    {"collection": "new", "schema": {}, "meta": {"sort": "first"}},
    [{"collection": "good", "schema": {}}, {"collection": "directus_bad", "schema": {}}],
    [{"collection": "good", "schema": {}}, {"collection": "good", "schema": {}}],
]


async def test_refused_collections_leave_nothing(
    service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    await service.create_collections(command, collection("there"))
    before = await everything(rows, store)
    for body in REFUSED_COLLECTIONS:
        with pytest.raises(InvalidPayload):
            await service.create_collections(command, body)
        assert await everything(rows, store) == before, body


async def test_other_refusals_of_collections(
    service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    before = await everything(rows, store)
    with pytest.raises(ValueTooLong) as long:
        await service.create_collections(command, {"collection": "x" * 65, "schema": {}})
    assert long.value.extensions["field"] == "collection"
    with pytest.raises(InvalidForeignKey) as group:
        await service.create_collections(
            command, {"collection": "a", "schema": {}, "meta": {"group": "nope"}}
        )
    assert group.value.extensions == {
        "collection": "directus_collections",
        "field": "group",
        "value": "nope",
    }
    for refused in (
        service.create_collections(command, {"collection": "nothing"}),
        service.update_collection(command, "nope", {"meta": {"note": "x"}}),
        service.delete_collection(command, "nope"),
        service.delete_collection(command, "directus_users"),
    ):
        with pytest.raises(Forbidden):
            await refused
    assert await everything(rows, store) == before


async def test_only_administrators(service: SchemaService, rows: Rows, store: ModelStore) -> None:
    before = await everything(rows, store)
    nobody = Command(Caller(), NOTHING, uuid4())
    for refused in (
        service.create_collections(nobody, {"collection": "a", "schema": {}}),
        service.update_collections(nobody, []),
        service.delete_collection(nobody, "a"),
        service.create_field(nobody, "directus_users", {"field": "x", "type": "string"}),
        service.update_field(nobody, "a", "b", {}),
        service.delete_field(nobody, "a", "b"),
        service.create_relation(nobody, {}),
        service.apply(nobody, {}),
        service.diff(nobody, {}),
        service.undo(nobody, 1),
        service.rename(nobody, {}),
        service.retype(nobody, {}),
    ):
        with pytest.raises(Forbidden):
            await refused
    assert await everything(rows, store) == before


@pytest.fixture
async def shop(service: SchemaService, command: Command, rows: Rows) -> None:
    """Two collections with a relation, and rows."""
    await service.create_collections(
        command,
        [
            collection("makers", {"field": "name", "type": "string", "meta": {}}),
            collection(
                "goods",
                {"field": "name", "type": "string", "schema": {"default_value": "thing"}, "meta": {}},
                {"field": "price", "type": "decimal", "meta": {}},
                {"field": "maker", "type": "integer", "meta": {"special": ["m2o"]}},
                {"field": "block", "type": "alias", "meta": {"special": ["alias", "no-data", "group"]}},
                {"field": "inside", "type": "text", "meta": {"group": "block"}},
                sort_field="price",
                archive_field="name",
                display_template="{{name}} by {{ maker.name }}",
                item_duplication_fields=["name", "maker.name"],
            ),
        ],
    )
    relation = {"collection": "goods", "field": "maker", "related_collection": "makers"}
    await service.create_relation(command, {**relation, "meta": {"one_field": "goods"}})
    alias = {"field": "goods", "type": "alias", "meta": {"special": ["o2m"]}}
    await service.create_field(command, "makers", alias)
    await rows("insert into makers (name) select 'maker ' || n from generate_series(1, 3) as n")
    await rows(
        "insert into goods (name, price, maker) select 'good ' || n % 5, n + 0.5, 1 + n % 3"
        " from generate_series(1, 10) as n"
    )


REFUSED_CHANGES: list[Any] = [
    ("name", {"schema": {"is_unique": True}}, RecordNotUnique),
    ("inside", {"schema": {"is_nullable": False}}, ContainsNullValues),
    ("name", {"type": "integer", "schema": {}}, InvalidPayload),
    ("name", {"type": "alias"}, InvalidPayload),
    ("name", {"type": "nonsense", "schema": {}}, InvalidPayload),
    ("name", {"schema": 5}, InvalidPayload),
    ("name", {"schema": {"max_length": "long"}}, InvalidPayload),
    ("block", {"type": "string", "schema": {}}, InvalidPayload),
    ("price", {"schema": {"default_value": "free"}}, InvalidPayload),
    ("id", {"schema": {"is_nullable": True}}, InvalidPayload),
    ("id", {"type": "string", "schema": {}}, InvalidPayload),
    ("maker", {"type": "string", "schema": {}}, InvalidPayload),
    ("nope", {"meta": {"note": "x"}}, Forbidden),
]


async def test_refused_changes_of_fields_leave_nothing(
    shop: None,
    service: SchemaService,
    command: Command,
    rows: Rows,
    store: ModelStore,
) -> None:
    before = await everything(rows, store)
    for name, body, error in REFUSED_CHANGES:
        with pytest.raises(error) as refused:
            await service.update_field(command, "goods", name, body)
        if error in (RecordNotUnique, ContainsNullValues):
            assert refused.value.extensions == {"collection": "goods", "field": name}
        assert await everything(rows, store) == before, body


REFUSED_FIELDS: list[Any] = [
    {"field": "", "type": "string"},
    {"field": "a.b", "type": "string"},
    {"field": "x" * 64, "type": "string"},
    {"type": "string"},
    {"field": "name", "type": "string"},
    {"field": "block", "type": "string"},
    {"field": "new", "type": "nonsense"},
    {"field": "new", "type": "string", "unknown": 1},
    {"field": "new", "type": "string", "schema": 5},
    {"field": "new", "type": "string", "schema": {"is_primary_key": True}},
    {"field": "new", "type": "string", "schema": {"is_nullable": False}},
    *({"field": "new", "type": "string", "schema": {"max_length": one}} for one in (-1, 2**24, 2**31)),
    [{"field": "new", "type": "string"}],
    "new",
]


async def test_refused_fields_leave_nothing(
    shop: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    before = await everything(rows, store)
    for body in REFUSED_FIELDS:
        with pytest.raises((InvalidPayload, ContainsNullValues)):
            await service.create_field(command, "goods", body)
        assert await everything(rows, store) == before, body


async def test_refused_drops_and_system_fields(
    shop: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    before = await everything(rows, store)
    for refused, error in (
        (service.delete_collection(command, "makers"), InvalidPayload),
        (service.delete_field(command, "goods", "id"), InvalidPayload),
        (service.delete_field(command, "directus_users", "email"), Forbidden),
        (service.delete_field(command, "nope", "x"), Forbidden),
        (service.create_field(command, "nope", {"field": "x", "type": "string"}), Forbidden),
        (service.update_field(command, "directus_users", "email", {"meta": {"note": "x"}}), InvalidPayload),
        (service.create_relation(command, {"collection": "goods", "field": "nope"}), InvalidPayload),
        (service.create_relation(command, {"collection": "goods", "field": "id"}), InvalidPayload),
        (
            service.create_relation(
                command, {"collection": "goods", "field": "price", "related_collection": "makers"}
            ),
            InvalidPayload,
        ),
        (service.update_relation(command, "goods", "name", {}), InvalidPayload),
        (service.delete_relation(command, "goods", "name"), InvalidPayload),
        (service.delete_relation(command, "directus_users", "role"), InvalidPayload),
    ):
        with pytest.raises(error):
            await refused
    await service.delete_field(command, "goods", "unknown")
    assert await everything(rows, store) == before


async def test_busy_table_is_a_clear_refusal(
    shop: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore, prepared_url: str
) -> None:
    before = await everything(rows, store)
    async with await psycopg.AsyncConnection.connect(prepared_url) as reader:
        await reader.execute("select count(*) from goods")
        for refused in (
            service.delete_collection(command, "goods"),
            service.create_field(command, "goods", {"field": "x", "type": "string"}),
            service.delete_field(command, "goods", "name"),
            service.rename(command, {"collection": "goods", "name": "wares"}),
        ):
            with pytest.raises(ServiceUnavailable) as busy:
                await refused
            assert busy.value.retry_after > 0
    assert await everything(rows, store) == before
    await service.delete_collection(command, "goods")


async def test_metadata_follows_a_dropped_field(
    shop: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    await rows(
        "insert into acta.directus_policies (id, name) values ('00000000-0000-4000-8000-000000000001', 'p')"
    )
    await rows(
        "insert into acta.directus_permissions (collection, action, fields, policy) values"
        " ('goods', 'read', 'id,name', '00000000-0000-4000-8000-000000000001'),"
        " ('goods', 'update', 'name', '00000000-0000-4000-8000-000000000001')"
    )
    await service.delete_field(command, "goods", "name")
    await service.delete_field(command, "goods", "block")
    await service.delete_field(command, "goods", "maker")
    goods = store.current.collections["goods"]
    assert goods.meta is not None
    assert goods.meta["archive_field"] is None
    assert goods.meta["sort_field"] == "price"
    assert goods.meta["item_duplication_fields"] is None
    assert (goods.fields["inside"].meta or {})["group"] is None
    assert "goods" not in store.current.collections["makers"].fields
    found = await rows("select action, fields from acta.directus_permissions order by action")
    assert found == [("read", "id"), ("update", None)]


async def test_many_collections_at_once_from_two_processes(
    service: SchemaService, command: Command, rows: Rows, store: ModelStore, prepared_url: str
) -> None:
    async with await Database.open(prepared_url, maximum=4) as other_database:
        other_store = await ModelStore.open(other_database)
        other = SchemaService(other_database, other_store)
        services = (service, other)

        async def client(number: int) -> None:
            for n in range(6):
                await services[number % 2].create_collections(command, collection(f"c{number}_{n}"))

        await asyncio.gather(*(client(number) for number in range(8)))
        same = [service.create_collections(command, collection("same")) for service in services]
        outcomes = await asyncio.gather(*same, return_exceptions=True)
        assert {type(one) for one in outcomes} == {dict, InvalidPayload}
        names = {f"c{number}_{n}" for number in range(8) for n in range(6)} | {"same"}
        for one in (await store.refresh(), await other_store.refresh()):
            assert {name for name, entry in one.collections.items() if not entry.system} == names
        created = await rows("select count(*) from acta.events where topic = 'collection.created'")
        assert created == [(len(names),)]


async def test_indexes_made_concurrently(
    service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    schema = {"is_unique": True, "is_indexed": True}
    await service.create_collections(
        command, collection("a", {"field": "u", "type": "string", "schema": schema}), concurrently=True
    )
    column = store.current.collections["a"].columns["u"]
    assert (column.unique, column.indexed) == (False, True)
    assert len(await rows("select indexname from pg_indexes where tablename = 'a'")) == 3
    await rows("insert into a (u) values ('same'), ('also')")
    body = {"field": "v", "type": "string", "schema": {"is_unique": True, "default_value": "same"}}
    with pytest.raises(RecordNotUnique):
        await service.create_field(command, "a", body, concurrently=True)
    assert not await rows("select from pg_index where not indisvalid")


async def test_rename_of_a_field_keeps_everything(
    shop: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    policy = "00000000-0000-4000-8000-000000000001"
    await rows("insert into acta.directus_policies (id, name) values (%s, 'p')", policy)
    await rows(
        "insert into acta.directus_permissions (collection, action, fields, permissions, policy) values"
        " ('goods', 'read', 'id,name',"
        """ '{"_and":[{"name":{"_eq":"x"}},{"maker":{"name":{"_null":true}}}]}', %s),"""
        """ ('makers', 'read', '*', '{"goods":{"_some":{"name":{"_neq":"y"}}}}', %s)""",
        policy,
        policy,
    )
    before, data = snapshot(store.current), await all_rows(rows, "goods")
    began = await newest(rows)
    await service.rename(command, {"collection": "goods", "field": "name", "name": "title"})
    goods = store.current.collections["goods"]
    assert goods.meta is not None
    assert "name" not in goods.fields
    assert goods.meta["archive_field"] == "title"
    assert goods.meta["display_template"] == "{{title}} by {{maker.name}}"
    assert goods.meta["item_duplication_fields"] == ["title", "maker.name"]
    found = await rows("select fields, permissions from acta.directus_permissions order by id")
    assert found == [
        ("id,title", {"_and": [{"title": {"_eq": "x"}}, {"maker": {"name": {"_null": True}}}]}),
        ("*", {"goods": {"_some": {"title": {"_neq": "y"}}}}),
    ]
    assert [row["title"] for row in await all_rows(rows, "goods")] == [row["name"] for row in data]
    told = await rows("select count(*) from acta.events where topic = 'field.renamed' and seq > %s", began)
    assert told == [(1,)]
    await check_log_of(service, command, rows, "goods")
    event = (await rows("select max(seq) from acta.events where topic = 'field.renamed'"))[0][0]
    await service.undo(command, event)
    assert snapshot(store.current) == before | {"relations": snapshot(store.current)["relations"]}
    assert await all_rows(rows, "goods") == data


async def check_log_of(service: SchemaService, command: Command, rows: Rows, name: str) -> None:
    """The log is complete as soon as a change of the schema looks at it."""
    await service.create_field(command, name, {"field": "passing", "type": "string", "meta": {}})
    await service.delete_field(command, name, "passing")
    query = "select count(*) from acta.item_states_v1(%s, 9223372036854775807)"
    assert await rows(query, name) == [(10,)]


async def test_rename_of_a_collection_keeps_everything(
    shop: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    any_item: list[dict[str, Any]] = [
        {"field": name, "type": "string", "meta": {}} for name in ("item", "collection")
    ]
    await service.create_collections(command, collection("blocks", *any_item))
    meta = {"one_collection_field": "collection", "one_allowed_collections": ["makers", "goods"]}
    await service.create_relation(command, {"collection": "blocks", "field": "item", "meta": meta})
    await rows("insert into blocks (item, collection) values ('1', 'goods'), ('2', 'makers')")
    before, data = snapshot(store.current), await all_rows(rows, "goods")
    await service.rename(command, {"collection": "goods", "name": "wares"})
    model = store.current
    assert "goods" not in model.collections
    assert (model.collections["wares"].meta or {})["sort_field"] == "price"
    side = model.side("makers", "goods")
    assert side is not None
    assert side.relation.collection == "wares"
    assert await rows("select collection from blocks order by id") == [("wares",), ("makers",)]
    assert await all_rows(rows, "wares") == data
    await check_log(rows, "wares")
    await service.create_collections(command, collection("goods"))
    event = (await rows("select max(seq) from acta.events where topic = 'collection.renamed'"))[0][0]
    with pytest.raises(InvalidPayload):
        await service.undo(command, event)
    await service.delete_collection(command, "goods")
    await service.undo(command, event)
    after = snapshot(store.current)
    assert after["collections"] == before["collections"]
    assert await all_rows(rows, "goods") == data
    assert await rows("select collection from blocks order by id") == [("goods",), ("makers",)]
    await check_log(rows, "goods")


async def test_retype_tells_what_would_be_lost(
    shop: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    await rows("update goods set name = '12' where id <= 4")
    await rows("update goods set name = null where id = 10")
    before = await everything(rows, store)
    body = {"collection": "goods", "field": "name", "type": "integer", "schema": {"default_value": None}}
    found = await service.retype(command, body, dry=True)
    assert (found["values"], found["impossible"], found["changed"]) == (9, 5, 0)
    assert found["examples"][0] == {"item": "5", "value": "good 0", "becomes": None, "impossible": True}
    whole = {"collection": "goods", "field": "price", "type": "integer"}
    found = await service.retype(command, whole, dry=True)
    assert (found["values"], found["impossible"], found["changed"]) == (10, 0, 10)
    assert any("TYPE integer" in statement for statement in found["statements"])
    with pytest.raises(InvalidPayload):
        await service.retype(command, body)
    assert await everything(rows, store) == before
    names = await rows("select id, name from goods order by id")
    await service.retype(command, {**body, "impossible": "null"})
    assert await rows("select count(*) from goods where name = 12") == [(4,)]
    assert await rows("select count(*) from goods where name is null") == [(6,)]
    await service.undo(command, await newest(rows))
    assert await rows("select id, name from goods order by id") == names


async def test_snapshot_applied_elsewhere_is_the_same(
    shop: None, service: SchemaService, command: Command
) -> None:
    await service.create_field(command, "directus_users", {"field": "nick", "type": "string", "meta": {}})
    await service.create_collections(command, {"collection": "folder", "schema": None, "meta": {"icon": "x"}})
    await service.update_collection(command, "goods", {"meta": {"group": "folder"}})
    document = service.snapshot(command)
    for name in ("goods", "makers", "folder"):
        await service.delete_collection(command, name)
    await service.delete_field(command, "directus_users", "nick")
    found = await service.diff(command, document)
    assert found is not None
    statements = await service.apply(command, found, dry=True)
    assert sum("CREATE TABLE" in statement for statement in statements) == 2
    assert await service.diff(command, document) == found
    await service.apply(command, found)
    again = service.snapshot(command)
    for part in ("collections", "fields", "relations", "systemFields"):
        assert sorted(map(str, again[part])) == sorted(map(str, document[part]))
    assert await service.diff(command, document) is None
    with pytest.raises(InvalidPayload):
        await service.apply(command, found)


async def test_a_diff_is_applied_whole_or_not_at_all(
    shop: None, service: SchemaService, command: Command, rows: Rows, store: ModelStore
) -> None:
    document = service.snapshot(command)
    target = {
        **document,
        "fields": [
            {**one, "type": "integer", "schema": {**one["schema"], "data_type": "integer"}}
            if (one["collection"], one["field"]) == ("goods", "name")
            else one
            for one in document["fields"]
        ],
        "collections": [{**one, "meta": {**one["meta"], "note": "new"}} for one in document["collections"]],
    }
    found = await service.diff(command, target)
    before = await everything(rows, store)
    with pytest.raises(InvalidPayload):
        await service.apply(command, found)
    assert await everything(rows, store) == before
