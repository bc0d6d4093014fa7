"""One schema command at work: its transaction, the model as it sees it, its rows and its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from domain.access.command import Command
from domain.events import Event
from domain.log.originator import join_originator
from domain.model.drafts import ColumnDraft
from domain.model.naming import constraint_name
from domain.model.schema import Model
from projections.database import Connection
from projections.log.append import append
from projections.schema import ddl
from projections.schema.definitions import Definition, table_definition
from projections.schema.later import Later
from projections.sql import load
from projections.tables.store import ModelStore

_STATEMENTS = load("schema/rows")
_KEYS: Mapping[str, str] = {"directus_collections": "collection"}
# For other members null stands for the default; here it says: track nothing.
_NULL_MEANS_NULL = frozenset({"accountability"})
SYSTEM = "acta"


@dataclass(slots=True)
class Work:
    """What the steps of one command share.

    ``model`` is the one the transaction sees as of the last `reload`, ``home`` the schema new tables go to,
    ``about`` what the running step is about, to attribute errors. ``statements`` collects the DDL as it ran.
    ``later`` are indexes made concurrently, which must not run in a transaction.
    """

    connection: Connection
    command: Command
    store: ModelStore
    model: Model
    home: str
    statements: list[str] = field(default_factory=list)
    later: list[Later] = field(default_factory=list)
    concurrently: bool = False
    silent: bool = False
    dry: bool = False
    about: tuple[str, str | None] = ("", None)

    async def reload(self) -> Model:
        """Look again: after own DDL and before a step that decides on what it made."""
        self.model = await self.store.preview(self.connection)
        return self.model

    async def definition(self, schema: str, table: str) -> Definition | None:
        """The table's definition as it is now, for events."""
        return await table_definition(self.connection, schema, table)

    async def run(self, *statements: sql.Composed) -> None:
        """Run DDL."""
        for statement in statements:
            self.statements.append(statement.as_string(self.connection))
            await self.connection.execute(statement)

    def index_later(self, schema: str, table: str, column: ColumnDraft) -> None:
        """Note the indexes of a new column for the time after the commit."""
        for wanted, unique in ((column.unique, True), (column.indexed, False)):
            if wanted:
                self.one_index_later(schema, table, column.name, unique=unique)

    def one_index_later(self, schema: str, table: str, column: str, *, unique: bool) -> None:
        """Note an index for the time after the commit."""
        name = constraint_name(table, column, "unique" if unique else "index")
        create = ddl.create_index_concurrently(schema, table, column, unique=unique)
        self.later.append(Later(create, schema, name, (table, column)))

    async def record(
        self,
        kind: type[Event],
        collection: str,
        *,
        revert: int | None = None,
        notes: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> None:
        """Append an event of the schema; ``revert`` is the seq of the one that it takes back."""
        origin = self.origin({})
        noted = self._noted({**({} if revert is None else {"revert": revert}), **(notes or {})})
        event = kind(
            originator_id=join_originator(collection, values.get("field", collection)),
            actor=origin["actor"],
            request=origin["request"],
            context=origin["context"],
            meta=noted,
            **values,
        )
        await append(self.connection, [event])

    async def insert(
        self,
        collection: str,
        values: Mapping[str, Any],
        *,
        fields: list[str] | None = None,
        exact: bool = False,
        silent: bool = False,
    ) -> str:
        """A new row of a metadata table; ``fields`` are the members revisions show. Returns its key.

        A null stands for the column's default, unless the row has to be ``exact``.
        """
        given = values if exact else {*(fields or ()), *_NULL_MEANS_NULL}
        names = [name for name, value in values.items() if value is not None or name in given]
        query = _STATEMENTS["insert"].format(**_names(collection), columns=_columns(names))
        noted = {"fields": list(values) if fields is None else fields, **_silent(silent)}
        parameters = {"values": Jsonb(dict(values)), "collection": collection} | self.origin(noted)
        row = await (await self.connection.execute(query, parameters)).fetchone()
        assert row is not None
        return str(row[0])

    async def update(
        self,
        collection: str,
        where: Mapping[str, Any],
        values: Mapping[str, Any],
        *,
        fields: list[str] | None = None,
        silent: bool = False,
    ) -> list[str]:
        """Change the rows whose columns have these values. Returns their keys."""
        if not values:
            return []
        query = _STATEMENTS["update"].format(
            **_names(collection), columns=_columns(list(values)), condition=_condition(where)
        )
        noted = {"fields": list(values) if fields is None else fields, **_silent(silent)}
        parameters = {"values": Jsonb(dict(values)), "names": list(values), **_bound(where)}
        return await self._keys(query, parameters | {"collection": collection} | self.origin(noted))

    async def delete(self, collection: str, where: Mapping[str, Any], *, silent: bool = False) -> list[str]:
        """Remove the rows whose columns have these values. Returns their keys."""
        query = _STATEMENTS["delete"].format(**_names(collection), condition=_condition(where))
        return await self._keys(
            query, _bound(where) | {"collection": collection} | self.origin(_silent(silent))
        )

    async def rows(self, collection: str, where: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows whose columns have these values, as stored."""
        query = _STATEMENTS["select"].format(**_names(collection), condition=_condition(where))
        cursor = await self.connection.execute(query, _bound(where))
        return [row[0] for row in await cursor.fetchall()]

    async def _keys(self, query: sql.Composed, parameters: Mapping[str, Any]) -> list[str]:
        cursor = await self.connection.execute(query, parameters)
        return [str(row[0]) for row in await cursor.fetchall()]

    def origin(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that every event of the command has, with this in its ``meta``."""
        noted = self._noted(meta)
        return {
            "actor": self.command.caller.user,
            "request": self.command.request,
            "context": self.command.context,
            "meta": Jsonb(noted) if noted else None,
        }

    def _noted(self, meta: Mapping[str, Any]) -> dict[str, Any] | None:
        silent = {"silent": True} if self.silent else {}
        return {**self.command.notes, **silent, **meta} or None


def _names(collection: str) -> dict[str, sql.Composable]:
    return {
        "table": sql.Identifier(SYSTEM, collection),
        "key": sql.Identifier(_KEYS.get(collection, "id")),
    }


def _columns(names: list[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _condition(where: Mapping[str, Any]) -> sql.Composable:
    parts = [
        sql.SQL("target.{} = {}").format(sql.Identifier(name), sql.Placeholder(f"where_{name}"))
        for name in where
    ]
    return sql.SQL(" AND ").join(parts) if parts else sql.SQL("true")


def _bound(where: Mapping[str, Any]) -> dict[str, Any]:
    return {f"where_{name}": value for name, value in where.items()}


def _silent(silent: bool) -> dict[str, Any]:
    return {"silent": True} if silent else {}
