"""An existing Directus 11 database becomes ours: its system rows, its history, and who may refer to them.

All of it is one transaction. The old tables stay as they are; the user's tables do, too, but for the targets
of foreign keys to old system tables, which have to point to where new rows will be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from domain.access.sealed import Seal
from domain.errors import InvalidPayload, ServiceUnavailable, UnprocessableContent
from projections import migrations
from projections.database import Connection, Database
from projections.prepare import prepare
from projections.schema.definitions import column_definition, table_definition
from projections.schema.remake import column_clause
from projections.sql import load
from projections.tables.store import ModelStore

SQL = load("takeover/takeover")
QUALIFY = load("schema/definition")["qualify"]
# In an order in which whatever a row refers to is there before it.
TABLES = [
    "roles",
    "policies",
    "users",
    "access",
    "permissions",
    "folders",
    "files",
    "settings",
    "collections",
    "fields",
    "relations",
    "presets",
    "shares",
    "dashboards",
    "panels",
    "flows",
    "operations",
    "translations",
    "notifications",
    "comments",
    "versions",
    "extensions",
    "deployments",
    "deployment_projects",
    "deployment_runs",
]
MARK = "directus_migrations"
KEYS: Mapping[str, str] = {"directus_collections": "collection"}
DIGESTED = frozenset({("directus_users", "token")})
SEALED = ("directus_users", "tfa_secret")
# Encrypted with a key and in a form that only the reference knows.
LOST = frozenset(
    {
        ("directus_settings", "ai_openai_api_key"),
        ("directus_settings", "ai_anthropic_api_key"),
        ("directus_settings", "ai_google_api_key"),
        ("directus_settings", "ai_openai_compatible_api_key"),
        ("directus_deployments", "credentials"),
    }
)
_COMMA = sql.SQL(", ")


@dataclass(slots=True)
class Report:
    """What was taken over: rows by collection, history, foreign keys that lead to us now; and what not."""

    rows: dict[str, int] = field(default_factory=dict)
    history: int = 0
    foreign_keys: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: str | None
    differs: bool
    custom: bool
    numbered: bool


async def take_over(database: Database, seal: Seal, *, schema: str = "public") -> Report | None:
    """Take over the Directus tables of a schema; None when that was done before.

    ``seal`` closes the secrets that have to be read again.

    Raises:
        InvalidPayload: when there are none, or those of an older version.
        UnprocessableContent: when Acta has begun a log of its own here.
        ServiceUnavailable: when somebody works on the tables and does not come to an end.
    """
    async with database.connection() as connection:
        row = await (await connection.execute(SQL["present"], {"schema": schema})).fetchone()
    if row is None or not row[0]:
        older = row is not None and row[1]
        reason = "those of a version before 11: update it first" if older else "none"
        raise InvalidPayload(f'schema "{schema}" should hold the tables of Directus 11, but holds {reason}')
    await prepare(database)
    try:
        async with database.transaction() as connection:
            await migrations.begin(connection)
            return await _Takeover(connection, schema, seal).run()
    except psycopg.errors.LockNotAvailable as error:
        raise ServiceUnavailable("database", "the tables are in use: stop Directus first") from error


class _Takeover:
    """One takeover inside its transaction."""

    def __init__(self, connection: Connection, schema: str, seal: Seal) -> None:
        self._connection = connection
        self._seal = seal
        self._schema = schema
        self._request: UUID = uuid4()
        self._report = Report()
        self._added: list[str] = []

    async def run(self) -> Report | None:
        """Everything, or nothing when it is behind us."""
        row = await self._one(SQL["taken"])
        if row[0]:
            return None
        if row[1]:
            raise UnprocessableContent(
                "Acta has begun a log in this database. Drop schema acta to start over: your tables stay."
            )
        await self._connection.execute(SQL["limit_waiting"])
        await self._connection.execute(QUALIFY)
        present = [f"directus_{name}" for name in TABLES if await self._is_there(f"directus_{name}")]
        for table in (*present, "directus_activity", "directus_revisions"):
            await self._connection.execute(SQL["keep"].format(table=self._old(table)))
        for table in present:
            await self._copy(table)
        await self._copy(MARK, "copy_silently")
        await self._take_history()
        await self._point_here()
        await ModelStore.announce(self._connection)
        return self._report

    async def _copy(self, table: str, how: str = "copy") -> None:
        columns = await self._columns(table)
        taken = [column for column in columns if column.type is not None]
        values = {
            "table": _ours(table),
            "old": self._old(table),
            "columns": _COMMA.join(sql.Identifier(column.name) for column in taken),
            "values": _COMMA.join(_value(table, column) for column in taken),
            "key": sql.Identifier(KEYS.get(table, "id")),
        }
        sealed = await self._sealed(table)
        parameters = {"collection": table, "request": self._request, "sealed": Jsonb(sealed)}
        done = await self._connection.execute(SQL[how].format(**values), parameters)
        if how == "copy":
            self._report.rows[table] = done.rowcount
        for column in taken:
            if column.numbered:
                statement = SQL["go_on_numbering"].format(
                    table=_ours(table), column=sql.Identifier(column.name)
                )
                await self._connection.execute(statement, {"table": f"acta.{table}", "column": column.name})
        await self._note_lost(table, [each for each in columns if _is_lost(table, each)])

    async def _sealed(self, table: str) -> dict[str, str]:
        """The secrets of a table's rows, sealed, by the row's id."""
        if table != SEALED[0]:
            return {}
        statement = SQL["secrets"].format(old=self._old(table), column=sql.Identifier(SEALED[1]))
        rows = await (await self._connection.execute(statement)).fetchall()
        return {row[0]: self._seal.close(row[1]) for row in rows}

    async def _columns(self, table: str) -> list[_Column]:
        found = await self._read_columns(table)
        for column in found:
            if column.type is None and column.custom:
                await self._add(table, column.name)
                self._added.append(f"{table}.{column.name}")
        return await self._read_columns(table)

    async def _read_columns(self, table: str) -> list[_Column]:
        statement = SQL["columns"].format(fields=self._old("directus_fields"))
        cursor = await self._connection.execute(statement, {"schema": self._schema, "table": table})
        return [_Column(*row) for row in await cursor.fetchall()]

    async def _add(self, table: str, name: str) -> None:
        """A column that people added to a system table, with its own constraints but for foreign keys."""
        definition = column_definition(await table_definition(self._connection, self._schema, table), name)
        assert definition is not None
        await self._connection.execute(QUALIFY)
        column = {**definition["column"], "required": False, "sequence": None}
        place = _ours(table)
        await self._connection.execute(
            sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(place, column_clause(column))
        )
        for constraint in definition["constraints"]:
            if constraint["kind"] in "uc":
                await self._constrain("acta", table, constraint["name"], constraint["definition"])

    async def _constrain(self, schema: str, table: str, name: str, definition: str) -> None:
        await self._connection.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                sql.Identifier(schema, table), sql.Identifier(name), sql.SQL(definition)
            )
        )

    async def _note_lost(self, table: str, columns: Sequence[_Column]) -> None:
        for column in columns:
            statement = SQL["lost"].format(old=self._old(table), column=sql.Identifier(column.name))
            if count := (await self._one(statement))[0]:
                self._report.lost.append(f"{table}.{column.name} of {count} rows")

    async def _take_history(self) -> None:
        tables = {name: self._old(f"directus_{name}") for name in ("activity", "revisions")}
        await self._connection.execute(SQL["contexts"].format(activity=tables["activity"]))
        done = await self._connection.execute(SQL["past"].format(**tables))
        self._report.history = done.rowcount

    async def _point_here(self) -> None:
        wanted = {"schema": self._schema, "added": self._added}
        cursor = await self._connection.execute(SQL["foreign_keys"], wanted)
        for schema, table, name, definition, system in await cursor.fetchall():
            if system:
                await self._constrain("acta", table, name, definition)
                continue
            drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}")
            await self._connection.execute(drop.format(sql.Identifier(schema, table), sql.Identifier(name)))
            await self._constrain(schema, table, name, definition)
            self._report.foreign_keys.append(f"{schema}.{table}.{name}")

    async def _is_there(self, table: str) -> bool:
        row = await self._one(SQL["is_there"], {"schema": self._schema, "table": table})
        return bool(row[0])

    async def _one(self, statement: Any, values: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
        row = await (await self._connection.execute(statement, values)).fetchone()
        assert row is not None
        return row

    def _old(self, table: str) -> sql.Identifier:
        return sql.Identifier(self._schema, table)


def _is_lost(table: str, column: _Column) -> bool:
    return column.type is None or (table, column.name) in LOST


def _value(table: str, column: _Column) -> sql.Composable:
    value = sql.SQL("o.{}").format(sql.Identifier(column.name))
    if (table, column.name) in LOST:
        return sql.SQL("null")
    if (table, column.name) in DIGESTED:
        return sql.SQL("encode(sha256(convert_to({}, 'UTF8')), 'hex')").format(value)
    if (table, column.name) == SEALED:
        return sql.SQL("%(sealed)s::jsonb ->> o.id::text")
    if column.differs and column.type is not None:
        return sql.SQL("{}::text::{}").format(value, sql.SQL(column.type))
    return value


def _ours(table: str) -> sql.Identifier:
    return sql.Identifier("acta", table)
