"""From catalog, metadata rows and the built-in definitions to collections and relations: no connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from domain.model import Collection, CollectionKind, Column, Field, ForeignKey, Model, Relation, RelationMeta
from domain.model.types import ALIAS_SPECIALS, item_type
from projections.tables.catalog import SYSTEM_SCHEMA, Table

Row = Mapping[str, Any]
_FIXED_META = frozenset({"collection", "hidden", "singleton"})


def name_tables(tables: Iterable[Table], schemas: Sequence[str]) -> dict[tuple[str, str], str]:
    """The collection names of tables: the table's own, qualified where an earlier schema has it already."""
    rank = {schema: place for place, schema in enumerate((SYSTEM_SCHEMA, *schemas))}
    taken: dict[str, tuple[str, str]] = {}
    names: dict[tuple[str, str], str] = {}
    for table in sorted(tables, key=lambda each: (rank.get(each.schema, len(rank)), each.schema, each.name)):
        key = table.schema, table.name
        name = table.name if table.name not in taken else f"{table.schema}.{table.name}"
        taken.setdefault(name, key)
        names[key] = name
    return names


def collection_of_table(name: str, table: Table, meta: Row | None, rows: Sequence[Row]) -> Collection:
    """A user's collection; ``meta`` is its metadata row, ``rows`` are those of its fields."""
    fields, leftovers = _fields(name, table.columns, rows)
    return _collection(name, table, fields, leftovers, meta)


def collection_of_system(
    built_in: Collection, table: Table, meta: Row | None, rows: Sequence[Row]
) -> Collection:
    """A system collection: its definition over the real columns, custom fields and stored changes of meta."""
    view = table.kind is not CollectionKind.TABLE
    real = {column.name: column for column in table.columns}
    fields: dict[str, Field] = {}
    for name, entry in built_in.fields.items():
        column = entry.column if entry.column is None else real.get(name, entry.column)
        if view and entry.column is not None and column is not None:
            # A view's catalog entry knows neither key nor nullability: there the definition speaks.
            column = replace(entry.column, sql_type=column.sql_type, base_type=column.base_type)
        fields[name] = entry if column is entry.column else replace(entry, column=column)
    custom = [column for column in table.columns if column.name not in built_in.fields]
    own = [row for row in rows if row["field"] not in built_in.fields]
    added, leftovers = _fields(built_in.name, custom, own)
    merged: dict[str, Any] = dict(built_in.meta or {})
    if meta is not None:
        merged |= {key: value for key, value in meta.items() if key not in _FIXED_META}
        merged["note"] = meta["note"] if meta["note"] is not None else (built_in.meta or {}).get("note")
    collection = _collection(built_in.name, table, fields | added, leftovers, merged)
    return replace(
        collection,
        kind=built_in.kind,
        system=True,
        primary_key=built_in.primary_key,
        primary_key_name=table.primary_key_name or built_in.primary_key_name,
    )


def folder(name: str, meta: Row, rows: Sequence[Row]) -> Collection:
    """A collection that is only a metadata row."""
    fields, leftovers = _fields(name, (), rows)
    return Collection(name, CollectionKind.FOLDER, schema="", fields=fields, meta=meta, leftovers=leftovers)


def relations_of(
    collections: Mapping[str, Collection], rows: Sequence[RelationMeta], built_in: Model
) -> tuple[Relation, ...]:
    """All relations: those with a constraint first, then those that only metadata knows."""
    metas: dict[tuple[str, str], list[RelationMeta | None]] = {}
    for row in (*(entry.meta for entry in built_in.relations if entry.meta is not None), *rows):
        metas.setdefault((row.many_collection, row.many_field), []).append(row)
    tables = {(each.schema, each.table): each.name for each in collections.values() if each.table}
    with_constraint: list[Relation] = []
    for collection, field, constraint in _constraints(collections):
        related = tables.get((constraint.schema, constraint.table))
        if related is not None:
            # A second record on the same column has no constraint of its own.
            first, *more = metas.pop((collection, field), [None])
            with_constraint.append(Relation(collection, field, related, constraint, first))
            metas.setdefault((collection, field), []).extend(meta for meta in more if meta is not None)
    without = [
        Relation(meta.many_collection, meta.many_field, meta.one_collection, None, meta)
        for entries in metas.values()
        for meta in entries
        if meta is not None
        and meta.many_collection in collections
        and meta.many_field in collections[meta.many_collection].fields
    ]
    return (*with_constraint, *without)


def _constraints(collections: Mapping[str, Collection]) -> Iterator[tuple[str, str, ForeignKey]]:
    for collection in collections.values():
        for column in collection.columns.values():
            if column.foreign_key is not None:
                yield collection.name, column.name, column.foreign_key


def _collection(
    name: str, table: Table, fields: Mapping[str, Field], leftovers: Mapping[str, Field], meta: Row | None
) -> Collection:
    return Collection(
        name=name,
        kind=table.kind,
        schema=table.schema,
        table=table.name,
        fields=fields,
        primary_key=table.primary_key,
        primary_key_name=table.primary_key_name,
        comment=table.comment,
        meta=meta,
        returning=not table.rules,
        triggers=table.triggers,
        composite_keys=table.composite_keys,
        checks=table.checks,
        leftovers=leftovers,
    )


def _fields(
    collection: str, columns: Iterable[Column], rows: Sequence[Row]
) -> tuple[dict[str, Field], dict[str, Field]]:
    """The fields (columns in table order, then aliases) and the metadata rows that are no field any more."""
    metas = {row["field"]: row for row in rows}
    fields: dict[str, Field] = {}
    leftovers: dict[str, Field] = {}
    for column in columns:
        meta = metas.pop(column.name, None)
        special = tuple(meta["special"] or ()) if meta is not None else ()
        kind = item_type(column.base_type, special)
        fields[column.name] = Field(collection, column.name, kind, column, special, meta)
    for name, meta in metas.items():
        special = tuple(meta["special"] or ())
        target = leftovers if ALIAS_SPECIALS.isdisjoint(special) else fields
        target[name] = Field(collection, name, "alias", None, special, meta)
    return fields, leftovers
