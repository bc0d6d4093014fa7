"""A refused schema command names its reason and leaves nothing behind."""

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
from projections.schema.service import SchemaService
from projections.tables.store import ModelStore
from tests.support.schema import Rows, collection, everything

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
