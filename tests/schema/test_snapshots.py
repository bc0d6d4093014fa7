"""A snapshot of a project, applied again whole or not at all."""

import pytest

from domain.access.command import Command
from domain.errors import InvalidPayload
from projections.schema.service import SchemaService
from projections.tables.store import ModelStore
from tests.support.schema import Rows, everything


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
