"""Small models made by hand, with the tables to go with them: what the tests of reading start from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from psycopg import AsyncConnection, sql

from domain.model import (
    Collection,
    CollectionKind,
    Column,
    Field,
    ForeignKey,
    Model,
    Relation,
    RelationMeta,
)
from domain.model.types import column_type

_BASE = {"varchar": "character varying", "timestamp": "timestamp without time zone", "serial": "integer"} | {
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "bigserial": "bigint",
}


@dataclass
class World:
    """Collections and relations under construction."""

    schema: str = "public"
    collections: dict[str, Collection] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)

    def collection(
        self,
        name: str,
        fields: Mapping[str, str | tuple[str, ...]],
        *,
        key: Sequence[str] = ("id",),
        sort_field: str | None = None,
        singleton: bool = False,
        columns: Mapping[str, str] | None = None,
    ) -> World:
        """Add a collection; fields are types, or a type and specials. ``columns`` overrule column types."""
        made = {}
        for field_name, given in fields.items():
            kind, *special = (given,) if isinstance(given, str) else given
            made[field_name] = self._field(
                name, field_name, kind, tuple(special), field_name in key, columns or {}
            )
        meta = {"sort_field": sort_field, "singleton": singleton}
        self.collections[name] = Collection(
            name,
            CollectionKind.TABLE,
            self.schema,
            name,
            made,
            tuple(key) if all(k in made for k in key) else (),
            meta=meta,
        )
        return self

    def _field(
        self,
        collection: str,
        name: str,
        kind: str,
        special: tuple[str, ...],
        key: bool,
        columns: Mapping[str, str],
    ) -> Field:
        if kind == "alias":
            return Field(collection, name, "alias", special=special, meta={})
        if name in columns:
            base = columns[name]
        else:
            found = column_type(kind)
            assert found is not None
            base = _BASE.get(found.name, found.name)
        column = Column(name, base, base, base, nullable=not key, leading=True, primary_key=key)
        return Field(collection, name, kind, column, special, meta={})

    def m2o(
        self,
        collection: str,
        field_name: str,
        related: str,
        alias: str | None = None,
        *,
        sort_field: str | None = None,
        junction_field: str | None = None,
        constraint: bool = True,
    ) -> World:
        """Relate a column to a collection, and list its rows there under an alias."""
        target = self.collections[related]
        key = ForeignKey(f"{collection}_{field_name}_foreign", self.schema, related, target.primary_key[0])
        meta = RelationMeta(
            None, collection, field_name, related, alias, sort_field=sort_field, junction_field=junction_field
        )
        self.relations.append(Relation(collection, field_name, related, key if constraint else None, meta))
        if alias and alias not in target.fields:
            fields = {**target.fields, alias: Field(related, alias, "alias", None, ("o2m",), {})}
            self.collections[related] = replace(target, fields=fields)
        return self

    def m2a(self, collection: str, item: str, which: str, allowed: Sequence[str]) -> World:
        """Relate the item column of a junction to whichever collection another column names."""
        meta = RelationMeta(
            None, collection, item, one_collection_field=which, one_allowed_collections=tuple(allowed)
        )
        self.relations.append(Relation(collection, item, None, None, meta))
        return self

    def model(self, version: int = 1) -> Model:
        """The model so far."""
        return Model(version, dict(self.collections), tuple(self.relations))

    async def create(self, connection: AsyncConnection[Any]) -> None:
        """Create the tables."""
        for collection in self.collections.values():
            columns = [
                sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(column.sql_type))
                for name, column in collection.columns.items()
            ]
            if collection.primary_key:
                key = sql.SQL(", ").join(map(sql.Identifier, collection.primary_key))
                columns.append(sql.SQL("PRIMARY KEY ({})").format(key))
            table = sql.Identifier(collection.schema, collection.table)
            await connection.execute(
                sql.SQL("CREATE TABLE {} ({})").format(table, sql.SQL(", ").join(columns))
            )

    async def insert(
        self, connection: AsyncConnection[Any], name: str, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Insert rows as JSON; csv lists are joined as the item API stores them."""
        collection = self.collections[name]
        stored = []
        for row in rows:
            values = dict(row)
            for key, value in row.items():
                if collection.fields[key].type == "csv" and isinstance(value, list):
                    values[key] = ",".join(value)
            stored.append(values)
        table = sql.Identifier(collection.schema, collection.table)
        statement = sql.SQL(
            "INSERT INTO {} SELECT * FROM json_populate_recordset(NULL::{}, %s::json)"
        ).format(table, table)
        await connection.execute(statement, [json.dumps(stored)])
