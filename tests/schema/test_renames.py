"""Other names and other types: whatever speaks of a field follows, and nothing is lost untold."""

from typing import Any

import pytest

from domain.access.command import Command
from domain.errors import InvalidPayload
from domain.model.snapshot import snapshot
from projections.schema.service import SchemaService
from projections.tables.store import ModelStore
from tests.support.schema import Rows, all_rows, check_log, collection, everything, newest


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
