"""From a database to the model: a few catalog queries, the metadata tables, the built-in definitions.

A load remembers a fingerprint of every table, so that the next load reads only what has changed: a schema
change in a database of a thousand tables costs as little as in one of ten.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from psycopg.pq import TransactionStatus

from domain.model import Collection, Model, RelationMeta
from projections.database import Connection
from projections.system.definitions import built_in
from projections.tables import metadata
from projections.tables.assemble import (
    collection_of_system,
    collection_of_table,
    folder,
    name_tables,
    relations_of,
)
from projections.tables.catalog import SYSTEM_SCHEMA, TYPES, Table, read_fingerprints, read_tables

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata tables' rows, those of fields with the fingerprints they were read at."""

    collections: Mapping[str, Row] = field(default_factory=dict)
    relations: tuple[RelationMeta, ...] = ()
    fields: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model with all that the next load can reuse."""

    model: Model
    tables: Mapping[int, Table]
    fingerprints: Mapping[int, str]
    metadata: Metadata


async def load_model(
    connection: Connection, *, schemas: Sequence[str], exclude: Sequence[str] = (), version: int = 1
) -> Model:
    """The model of the tables in these schemas, as the connection's transaction sees it."""
    loaded = await load(connection, schemas=schemas, exclude=exclude, version=version)
    return loaded.model


async def load(
    connection: Connection,
    *,
    schemas: Sequence[str],
    exclude: Sequence[str] = (),
    version: int = 1,
    previous: Loaded | None = None,
) -> Loaded:
    """Load, reading only what differs from ``previous``; returns ``previous`` itself when nothing does."""
    everywhere = (*dict.fromkeys(schemas), SYSTEM_SCHEMA)
    async with _consistent(connection), _uncollected():
        prints = await read_fingerprints(connection, everywhere)
        if previous is None:
            tables = await read_tables(connection, everywhere, exclude)
        else:
            stale = _stale(prints, previous)
            fresh = await read_tables(connection, everywhere, exclude, stale) if stale else {}
            tables = {oid: table for oid, table in previous.tables.items() if oid not in stale} | fresh
        rows = await _read_metadata(connection, previous.metadata if previous else None)
        if previous is not None and prints == previous.fingerprints and rows is previous.metadata:
            return previous
        return Loaded(_assemble(tables, rows, schemas, version, previous), tables, prints, rows)


@asynccontextmanager
async def _uncollected() -> AsyncIterator[None]:
    """No garbage collection meanwhile: it would walk the growing model again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _stale(prints: Mapping[int, str], previous: Loaded) -> set[int]:
    """The tables that are new, changed or gone; all when an enum or a domain has changed, which no table
    tells."""
    if prints.get(TYPES) != previous.fingerprints.get(TYPES):
        return {*prints, *previous.fingerprints}
    changed = {oid for oid, seen in prints.items() if previous.fingerprints.get(oid) != seen}
    return changed | (previous.fingerprints.keys() - prints.keys())


@asynccontextmanager
async def _consistent(connection: Connection) -> AsyncIterator[None]:
    """One snapshot for all statements; inside the caller's own transaction its view is used as it is."""
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        yield
        return
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


async def _read_metadata(connection: Connection, previous: Metadata | None) -> Metadata:
    if not await metadata.present(connection):
        return previous if previous is not None and not previous.fingerprints else Metadata()
    before = previous or Metadata()
    prints = await metadata.read_field_fingerprints(connection)
    stale = [name for name, seen in prints.items() if before.fingerprints.get(name) != seen]
    collections = await metadata.read_collections(connection)
    relations = await metadata.read_relations(connection)
    if (
        previous is not None
        and prints == previous.fingerprints
        and collections == previous.collections
        and relations == previous.relations
    ):
        return previous
    fresh = await metadata.read_fields(connection, stale)
    kept = {name: rows for name, rows in before.fields.items() if name in prints and name not in fresh}
    same = {
        name: before.collections[name] if before.collections.get(name) == row else row
        for name, row in collections.items()
    }
    return Metadata(same, relations, kept | fresh, prints)


def _assemble(
    tables: Mapping[int, Table], rows: Metadata, schemas: Sequence[str], version: int, previous: Loaded | None
) -> Model:
    names = name_tables(tables.values(), schemas)
    system = built_in()
    collections: dict[str, Collection] = {}
    for name, oid in _in_order({names[each.schema, each.name]: oid for oid, each in tables.items()}, system):
        table = tables[oid]
        meta, fields = rows.collections.get(name), rows.fields.get(name, ())
        if previous is not None and _unchanged(previous, oid, table, name, meta, fields):
            collections[name] = previous.model.collections[name]
        elif table.schema != SYSTEM_SCHEMA:
            collections[name] = collection_of_table(name, table, meta, fields)
        elif name in system.collections:
            collections[name] = collection_of_system(system.collections[name], table, meta, fields)
    for name, meta in rows.collections.items():
        if name not in collections:
            collections[name] = folder(name, meta, rows.fields.get(name, ()))
    return Model(version, collections, relations_of(collections, rows.relations, system))


def _in_order(oids: Mapping[str, int], system: Model) -> list[tuple[str, int]]:
    """The user's tables by name, then the system's in the order of their definitions."""
    own = sorted((name, oid) for name, oid in oids.items() if name not in system.collections)
    return own + [(name, oids[name]) for name in system.collections if name in oids]


def _unchanged(
    previous: Loaded, oid: int, table: Table, name: str, meta: Row | None, fields: tuple[Row, ...]
) -> bool:
    """Whether everything a collection is made of is the very same object as before."""
    return (
        previous.tables.get(oid) is table
        and name in previous.model.collections
        and previous.metadata.collections.get(name) is meta
        and previous.metadata.fields.get(name, ()) is fields
    )
