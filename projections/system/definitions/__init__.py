"""The built-in definitions: every system collection as data, and as a static model."""

from __future__ import annotations

from functools import cache
from typing import Any

from domain.model import Collection, CollectionKind, Column, Field, ForeignKey, Model, Relation, RelationMeta
from domain.model.types import column_type
from projections.system.definitions.reading import (
    PREFIX,
    CollectionDefinition,
    FieldDefinition,
    SideDefinition,
    definitions,
)

__all__ = ["ORDER", "CollectionDefinition", "FieldDefinition", "SideDefinition", "built_in", "definitions"]

SCHEMA = "acta"
ORDER = tuple(
    PREFIX + name
    for name in (
        "access", "activity", "collections", "comments", "fields", "files", "folders", "migrations",
        "permissions", "policies", "presets", "relations", "revisions", "roles", "sessions", "settings",
        "users", "dashboards", "panels", "notifications", "shares", "flows", "operations", "translations",
        "versions", "extensions", "deployments", "deployment_projects", "deployment_runs", "webhooks",
    )
)  # fmt: skip
"""The order in which ``/collections`` lists them."""

_CATALOG_NAMES = {
    "varchar": "character varying",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
}
_BITS = {"integer": 32, "bigint": 64}
_FIELD_META: dict[str, Any] = {
    "interface": None,
    "options": None,
    "display": None,
    "display_options": None,
    "readonly": False,
    "hidden": False,
    "sort": None,
    "width": "full",
    "group": None,
    "translations": None,
    "note": None,
    "conditions": None,
    "required": False,
    "searchable": True,
}


@cache
def built_in() -> Model:
    """The system collections and their relations as defined."""
    found = definitions()
    collections = {name: _collection(found[name]) for name in ORDER}
    relations = tuple(relation for name in ORDER for relation in _relations(found[name]))
    return Model(0, collections, relations)


def sql_type(entry: FieldDefinition) -> str:
    """The type that a field's column is declared with."""
    if entry.type == "json-text":
        return "text"
    if entry.type in ("csv", "hash") and entry.length is not None:
        return f"character varying({entry.length})"
    declared = column_type(entry.type, max_length=entry.length)
    if declared is None:
        raise ValueError(f"{entry.name} has no column")
    name = _CATALOG_NAMES.get(declared.name, declared.name)
    return f"{name}({declared.arguments[0]})" if declared.arguments else name


def _collection(definition: CollectionDefinition) -> Collection:
    fields = {
        entry.name: _field(definition, entry, place) for place, entry in enumerate(definition.fields, start=1)
    }
    return Collection(
        name=definition.name,
        kind=CollectionKind.VIEW if definition.view else CollectionKind.TABLE,
        schema=SCHEMA,
        table=definition.name,
        fields=fields,
        primary_key=(definition.key.name,),
        primary_key_name=f"{definition.name}_pkey",
        meta=_meta(definition),
        system=True,
    )


def _meta(definition: CollectionDefinition) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "collection": definition.name,
        "hidden": False,
        "singleton": definition.singleton,
        "icon": None,
        "note": f"$t:directus_collection.{definition.name}",
        "translations": None,
        "display_template": definition.display_template,
        "accountability": "all" if definition.tracked else None,
    }
    if definition.sort_field is not None:
        meta["sort_field"] = definition.sort_field
    if definition.archive is not None:
        field, archived, unarchived = definition.archive
        meta |= {"archive_field": field, "archive_value": archived, "unarchive_value": unarchived}
    return meta | {"system": True}


def _field(definition: CollectionDefinition, entry: FieldDefinition, place: int) -> Field:
    meta = {
        "system": True,
        "collection": definition.name,
        "field": entry.name,
        "special": list(entry.special) or None,
        **_FIELD_META,
        "sort": place,
        **entry.meta,
    }
    return Field(
        collection=definition.name,
        name=entry.name,
        type="json" if entry.type == "json-text" else entry.type,
        column=None if entry.alias else _column(definition, entry),
        special=entry.special,
        meta=meta,
        system=True,
    )


def _column(definition: CollectionDefinition, entry: FieldDefinition) -> Column:
    declared = sql_type(entry)
    data_type = declared.partition("(")[0]
    return Column(
        name=entry.name,
        data_type=data_type,
        sql_type=declared,
        base_type=data_type,
        default="CURRENT_TIMESTAMP" if entry.default == "now" else entry.default,
        max_length=entry.length,
        numeric_precision=_BITS.get(data_type),
        numeric_scale=0 if data_type in _BITS else None,
        nullable=not entry.required,
        unique=entry.unique or entry.key,
        indexed=entry.indexed,
        leading=entry.unique or entry.key or entry.indexed,
        primary_key=entry.key,
        auto_increment=entry.auto,
        foreign_key=_foreign_key(definition, entry),
    )


def _foreign_key(definition: CollectionDefinition, entry: FieldDefinition) -> ForeignKey | None:
    if entry.target is None or entry.on_delete is None:
        return None
    key = definitions()[entry.target].key.name
    name = f"{definition.name}_{entry.name}_foreign"
    return ForeignKey(name, SCHEMA, entry.target, key, "NO ACTION", entry.on_delete)


def _relations(definition: CollectionDefinition) -> list[Relation]:
    found: list[Relation] = []
    for entry in definition.fields:
        if entry.target is None:
            continue
        sides: list[SideDefinition | None] = [side for side in definition.sides if side.field == entry.name]
        for place, side in enumerate(sides or [None]):
            # A second record on the same column has no constraint of its own.
            constraint = _foreign_key(definition, entry) if place == 0 else None
            meta = RelationMeta(
                id=None,
                many_collection=definition.name,
                many_field=entry.name,
                one_collection=entry.target,
                one_field=side.alias if side else None,
                junction_field=side.junction if side else None,
                sort_field=side.sort if side else None,
                one_deselect_action=side.deselect if side else "nullify",
                system=True,
            )
            found.append(Relation(definition.name, entry.name, entry.target, constraint, meta))
    return found
