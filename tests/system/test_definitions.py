"""The system collections: the tables that migrations made are those that the definitions tell of."""

from dataclasses import fields

import pytest

from domain.model import Collection, CollectionKind, Column, Model
from domain.model.types import default_value
from projections.database import Database
from projections.system.definitions import ORDER, built_in, definitions
from projections.system.definitions.reading import DefinitionError, _fields
from projections.tables.introspect import load_model

# What a view's catalog entry, or a sequence's default, tells otherwise than a definition.
OWN_OF_CATALOG = {"leading", "default", "sequence"}


@pytest.fixture
async def model(database: Database) -> Model:
    async with database.connection() as connection:
        return await load_model(connection, schemas=("public",))


def test_all_are_there() -> None:
    assert set(ORDER) == set(definitions())
    assert len([each for each in definitions().values() if not each.extension]) == 29


def test_they_come_last_and_in_order(model: Model) -> None:
    assert tuple(model.collections) == ORDER
    assert all(each.system and each.schema == "acta" for each in model.collections.values())


@pytest.mark.parametrize("name", ORDER)
async def test_tables_are_as_defined(name: str, model: Model) -> None:
    real, defined = model.collections[name], built_in().collections[name]
    assert (real.kind, real.primary_key, real.meta) == (defined.kind, defined.primary_key, defined.meta)
    assert list(real.fields) == list(defined.fields)
    for entry in defined.fields.values():
        found = real.fields[entry.name]
        assert (found.type, found.special, found.meta) == (entry.type, entry.special, entry.meta)
        if entry.column is None:
            assert found.column is None
            continue
        assert found.column is not None
        assert told(found.column, real) == told(entry.column, real), entry.name
        if not entry.column.auto_increment:
            shown = default_value(found.column.default, found.schema_type)
            assert shown == default_value(entry.column.default, entry.schema_type), entry.name


def told(column: Column, collection: Collection) -> dict[str, object]:
    names = {field.name for field in fields(column)} - OWN_OF_CATALOG
    if collection.kind is CollectionKind.VIEW:
        names -= {"sql_type", "base_type"}
    return {name: getattr(column, name) for name in names}


def test_relations_are_as_defined(model: Model) -> None:
    def key(relation: object) -> str:
        return repr(relation)

    assert sorted(model.relations, key=key) == sorted(built_in().relations, key=key)


def test_aliases_see_the_other_side(model: Model) -> None:
    for collection, alias, many in (
        ("directus_users", "policies", ("directus_access", "user")),
        ("directus_roles", "policies", ("directus_access", "role")),
        ("directus_policies", "users", ("directus_access", "policy")),
        ("directus_policies", "roles", ("directus_access", "policy")),
        ("directus_roles", "children", ("directus_roles", "parent")),
        ("directus_activity", "revisions", ("directus_revisions", "activity")),
        ("directus_collections", "fields", ("directus_fields", "collection")),
    ):
        side = model.side(collection, alias)
        assert side is not None, alias
        assert side.kind == "o2m"
        assert (side.relation.collection, side.relation.field) == many
    users = model.side("directus_policies", "users")
    assert users is not None
    assert users.relation.meta is not None
    assert users.relation.meta.junction_field == "user"


def test_a_fresh_system_has_three_indexed_fields(model: Model) -> None:
    indexed = {
        f"{each.name}.{name}"
        for each in model.collections.values()
        for name, column in each.columns.items()
        if column.indexed
    }
    assert indexed == {
        "directus_activity.timestamp", "directus_revisions.activity", "directus_revisions.parent",
    }  # fmt: skip


@pytest.mark.parametrize("line", ["id uuid", "id: uuid kye", "id: uuid colour=red", "id: uuid -> users"])
def test_lines_that_mean_nothing(line: str) -> None:
    with pytest.raises(DefinitionError):
        list(_fields(line, {}))
