"""A snapshot: the tracked part of the model as a document to be kept, compared and applied elsewhere.

Beyond the reference it tells what else the columns need: the enums and domains they are of (``types``), keys
of several columns and checks (``primary_key`` and ``checks`` in a collection's ``schema``). All are left out
where there is nothing to tell.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from domain.errors import InvalidPayload
from domain.model import wire
from domain.model.expressions import settled
from domain.model.schema import Collection, CollectionKind, Column, Domain, Field, Model, Relation

Object = dict[str, Any]

VERSION = 1
SOFTWARE = "11.17.4"
"""The version of the reference whose snapshots are these."""
VENDOR = "postgres"
VENDORS = frozenset({"mysql", "postgres", "sqlite", "oracle", "mssql", "cockroachdb", "redshift"})

_VIEWS = (CollectionKind.VIEW, CollectionKind.MATERIALIZED_VIEW, CollectionKind.FOREIGN_TABLE)
COLUMN_MEMBERS = (
    "name",
    "table",
    "data_type",
    "default_value",
    "max_length",
    "numeric_precision",
    "numeric_scale",
    "is_nullable",
    "is_unique",
    "is_indexed",
    "is_primary_key",
    "is_generated",
    "generation_expression",
    "has_auto_increment",
    "foreign_key_table",
    "foreign_key_column",
)
CONSTRAINT_MEMBERS = (
    "table",
    "column",
    "foreign_key_table",
    "foreign_key_column",
    "constraint_name",
    "on_update",
    "on_delete",
)


def snapshot(model: Model) -> Object:
    """The snapshot of a model. Views are no part of it: what they show is SQL, which no snapshot holds."""
    owners = [one for one in sorted(model.collections.values(), key=_name) if one.kind not in _VIEWS]
    fields = _tracked(owners)
    document = {
        "version": VERSION,
        "directus": SOFTWARE,
        "vendor": VENDOR,
        "collections": [_collection(one) for one in owners if one.meta and not one.system],
        "fields": [_field(owner, entry) for owner, entry in fields],
        "systemFields": _system_fields(model),
        "relations": _relations(model, owners),
    }
    types = _types(entry.column for _, entry in fields if entry.column is not None)
    return {**document, "types": types} if types else document


def fingerprint(document: Mapping[str, Any]) -> str:
    """The hash that an apply must present: it changes with the snapshot and with the software."""
    text = json.dumps([SOFTWARE, document], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _collection(owner: Collection) -> Object:
    found: Object = {"collection": owner.name, "meta": sorted_members(wire.collection(owner)["meta"])}
    if owner.kind is not CollectionKind.FOLDER:
        found["schema"] = {"name": owner.table or owner.name}
        if len(owner.primary_key) != 1:
            found["schema"]["primary_key"] = list(owner.primary_key)
        checks = tracked_checks(owner)
        if checks:
            found["schema"]["checks"] = checks
    return found


def tracked_checks(owner: Collection) -> dict[str, str]:
    """The checks of a table's tracked columns: their expressions by their names."""
    return {
        check.name: settled(check.expression)
        for check in owner.checks
        if all(owner.fields[name].meta is not None for name in check.columns)
    }


def _types(columns: Iterable[Column]) -> list[Object]:
    enums: dict[str, Object] = {}
    domains: dict[str, Object] = {}
    for column in columns:
        if column.labels:
            enums[column.base_type] = {"name": column.base_type, "labels": list(column.labels)}
        if column.domain is not None:
            domains[column.data_type] = _domain(column, column.domain)
    return [kinds[name] for kinds in (enums, domains) for name in sorted(kinds)]


def _domain(column: Column, demands: Domain) -> Object:
    # Of a domain over another one the catalog writes a cast that it does not write over the type itself.
    cast = f"(VALUE)::{column.base_type}"
    checks = {check.name: settled(check.expression).replace(cast, "VALUE") for check in demands.checks}
    return {
        "name": column.data_type,
        "base": column.base_type,
        **({"not_null": True} if demands.required else {}),
        **({"checks": checks} if checks else {}),
    }


def check_type(entry: Any) -> Object:
    """An enum (``name``, ``labels``) or a domain (``name``, ``base``, ``not_null``, ``checks``).

    Raises:
        InvalidPayload: for anything else.
    """
    if isinstance(entry, Mapping) and isinstance(entry.get("name"), str) and entry["name"]:
        labels, base = entry.get("labels"), entry.get("base")
        if isinstance(labels, list) and all(isinstance(label, str) for label in labels):
            return {"name": entry["name"], "labels": labels}
        if isinstance(base, str) and isinstance(entry.get("not_null", True), bool):
            return {name: entry[name] for name in ("name", "base", "not_null", "checks") if name in entry}
    raise InvalidPayload('"types" entries need "name", and "labels" or "base"')


def _tracked(owners: Iterable[Collection]) -> list[tuple[Collection, Field]]:
    tracked = [
        (owner, entry)
        for owner in owners
        for entry in owner.fields.values()
        if entry.meta is not None and not entry.system
    ]
    tracked.sort(key=lambda pair: (pair[0].name, (pair[1].meta or {}).get("id") or 0))
    return tracked


def _field(owner: Collection, entry: Field) -> Object:
    found = wire.field(entry, owner)
    meta = {name: value for name, value in found["meta"].items() if name != "id"}
    result: Object = {
        "collection": owner.name,
        "field": entry.name,
        "type": found["type"],
        "meta": sorted_members(meta),
    }
    if found["schema"] is not None:
        result["schema"] = {name: found["schema"][name] for name in COLUMN_MEMBERS}
        if result["schema"]["is_generated"]:
            expression = result["schema"]["generation_expression"]
            result["schema"]["generation_expression"] = settled(expression)
    return result


def _system_fields(model: Model) -> list[Object]:
    return [
        {"collection": owner.name, "field": entry.name, "schema": {"is_indexed": True}}
        for owner in sorted(model.collections.values(), key=_name)
        if owner.system
        for entry in owner.fields.values()
        if entry.system and entry.column is not None and entry.column.indexed
    ]


def _relations(model: Model, owners: Iterable[Collection]) -> list[Object]:
    names = {one.name for one in owners}
    chosen = [
        one
        for one in model.relations
        if one.meta is not None and not one.meta.system and one.collection in names
    ]
    chosen.sort(key=lambda one: (one.collection, (one.meta.id if one.meta else None) or 0))
    return [_relation(one) for one in chosen]


def _relation(entry: Relation) -> Object:
    found = wire.relation(entry)
    meta = {name: value for name, value in found["meta"].items() if name != "id"}
    result: Object = {
        "collection": entry.collection,
        "field": entry.field,
        "related_collection": entry.related,
        "meta": sorted_members(meta),
    }
    if found["schema"] is not None:
        result["schema"] = {name: found["schema"][name] for name in CONSTRAINT_MEMBERS}
    return result


def sorted_members(value: Any) -> Any:
    """The value with the members of all objects in it in alphabetical order."""
    if isinstance(value, Mapping):
        return {name: sorted_members(value[name]) for name in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [sorted_members(entry) for entry in value]
    return value


def _name(owner: Collection) -> str:
    return owner.name
