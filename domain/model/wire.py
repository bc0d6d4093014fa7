"""The model as ``/collections``, ``/fields`` and ``/relations`` answer it: exact members, exact order.

What is in schema ``acta`` shows as being in ``home``, the first of the user's schemas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from domain.model.drafts import NO_LENGTH
from domain.model.metadata_rows import COLLECTION_META, FIELD_META, RELATION_META
from domain.model.schema import Collection, CollectionKind, Column, Field, Model, Relation
from domain.model.types import default_value

Object = dict[str, Any]

_SYSTEM_SCHEMA = "acta"
_OPEN_TYPES = frozenset({"character varying", "bpchar"})


def collections(model: Model) -> list[Object]:
    """All collections: tracked ones by name, system ones in their own order, untracked ones by name."""
    entries = model.collections.values()
    tracked = sorted((entry for entry in entries if entry.meta and not entry.system), key=_name)
    system = [entry for entry in entries if entry.system]
    untracked = sorted((entry for entry in entries if not entry.meta and not entry.system), key=_name)
    return [collection(entry) for entry in (*tracked, *system, *untracked)]


def collection(entry: Collection, home: str = "public") -> Object:
    """One collection."""
    table: Object | None = None
    if entry.kind is not CollectionKind.FOLDER:
        schema = home if entry.schema == _SYSTEM_SCHEMA else entry.schema
        table = {"schema": schema, "name": entry.table or entry.name, "comment": entry.comment}
    if entry.meta is None:
        return {"collection": entry.name, "schema": table, "meta": None}
    meta = dict(entry.meta) if entry.system else _ordered(entry.meta, COLLECTION_META)
    return {"collection": entry.name, "meta": meta, "schema": table}


def fields(model: Model) -> list[Object]:
    """All fields of the model's collections: of each, columns first, then aliases."""
    found: list[Object] = []
    for owner in model.collections.values():
        entries = owner.fields.values()
        found += [_listed(field(entry, owner)) for entry in entries if not entry.alias]
        found += [_listed(field(entry, owner)) for entry in entries if entry.alias]
    return found


def field(entry: Field, owner: Collection, home: str = "public") -> Object:
    """One field, as a single read answers it."""
    return {
        "collection": entry.collection,
        "field": entry.name,
        "type": entry.schema_type,
        "meta": _field_meta(entry),
        "schema": None if entry.column is None else column(entry.column, entry, owner, home),
    }


def column(entry: Column, owner: Field, table: Collection, home: str = "public") -> Object:
    """The ``schema`` member of a field."""
    key = entry.foreign_key
    length = entry.max_length
    if length is None and entry.data_type in _OPEN_TYPES:
        length = NO_LENGTH
    single = entry.primary_key and len(table.primary_key) == 1
    return {
        "name": entry.name,
        "table": table.table or table.name,
        "data_type": entry.data_type,
        "default_value": None
        if entry.generated
        else default_value(_default(entry, table), owner.schema_type),
        "generation_expression": entry.generation,
        "max_length": length,
        "numeric_precision": entry.numeric_precision,
        "numeric_scale": entry.numeric_scale,
        "is_generated": entry.generated,
        "is_nullable": entry.nullable,
        "is_unique": entry.unique,
        "is_indexed": entry.indexed,
        "is_primary_key": single,
        "has_auto_increment": entry.auto_increment and single,
        "foreign_key_schema": key and (home if key.schema == _SYSTEM_SCHEMA else key.schema),
        "foreign_key_table": key and key.table,
        "foreign_key_column": key and key.column,
        "comment": entry.comment,
    }


def _default(entry: Column, table: Collection) -> str | None:
    # Where system tables live is nobody's business.
    if table.schema == _SYSTEM_SCHEMA and entry.default is not None:
        return entry.default.replace(f"nextval('{_SYSTEM_SCHEMA}.", "nextval('")
    return entry.default


def relations(entries: Iterable[Relation]) -> list[Object]:
    """Relations as a list answers them: constrained ones first."""
    chosen = list(entries)
    first = [relation(entry) for entry in chosen if entry.constraint is not None]
    return first + [relation(entry) for entry in chosen if entry.constraint is None]


def relation(entry: Relation, home: str = "public", *, single: bool = False) -> Object:
    """One relation. A ``single`` read hides the metadata of built-in ones."""
    key = entry.constraint
    constraint = key and {
        "constraint_name": key.constraint,
        "table": entry.collection,
        "column": entry.field,
        "foreign_key_schema": home if key.schema == _SYSTEM_SCHEMA else key.schema,
        "foreign_key_table": key.table,
        "foreign_key_column": key.column,
        "on_update": key.on_update,
        "on_delete": key.on_delete,
    }
    return {
        "collection": entry.collection,
        "field": entry.field,
        "related_collection": entry.related,
        "schema": constraint,
        "meta": _relation_meta(entry, single=single),
    }


def _relation_meta(entry: Relation, *, single: bool) -> Object | None:
    meta = entry.meta
    if meta is None or (meta.system and single):
        return None
    found = {name: getattr(meta, name) for name in RELATION_META}
    if meta.one_allowed_collections is not None:
        found["one_allowed_collections"] = list(meta.one_allowed_collections)
    if meta.system:
        del found["id"]
        found["system"] = True
    return found


def _field_meta(entry: Field) -> Object | None:
    if entry.meta is None:
        return None
    if entry.system:
        return dict(entry.meta)
    return _ordered(entry.meta, FIELD_META)


def _listed(found: Object) -> Object:
    """The same object in the order of members that lists have."""
    return {name: found[name] for name in ("collection", "field", "type", "schema", "meta")}


def _ordered(meta: Mapping[str, Any], known: Mapping[str, Any]) -> Object:
    return {name: meta.get(name, default) for name, default in known.items()}


def _name(entry: Collection) -> str:
    return entry.name
