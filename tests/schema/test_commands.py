"""Schema commands on a real database: what they make."""

import asyncio

import pytest
from psycopg.errors import UniqueViolation

from domain.access.command import Command
from domain.errors import InvalidPayload, RecordNotUnique
from projections.database import Database
from projections.schema.service import SchemaService
from projections.tables.store import ModelStore
from tests.support.schema import Rows, collection


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
    assert not await rows("select 1 from pg_index where not indisvalid")
    # An index that a killed process has left, and one of somebody else's that has the name.
    with pytest.raises(UniqueViolation):
        await rows("create unique index concurrently a_v_unique on a (v)")
    await rows("update a set v = id")
    change = {"schema": {"is_unique": True, "is_indexed": True}}
    await service.update_field(command, "a", "v", change, concurrently=True)
    assert await rows("select indisvalid from pg_index where indexrelid::regclass::text = 'a_v_unique'") == [
        (True,)
    ]
    with pytest.raises(InvalidPayload):
        await service.update_field(command, "a", "v", {"schema": {"is_unique": True}}, concurrently=True)
    assert await rows("select 1 from pg_class where relname = 'a_v_unique'")
