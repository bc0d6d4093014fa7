"""DDL of the user's tables, composed from drafts; names and literals are always quoted by the driver."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import LiteralString

from psycopg import sql

from domain.model.drafts import ColumnDraft, Default, ReferenceAction
from domain.model.naming import Kind, constraint_name
from domain.model.types import ColumnType

Statement = sql.Composed

_ACTIONS: dict[ReferenceAction, LiteralString] = {
    "NO ACTION": "NO ACTION",
    "SET NULL": "SET NULL",
    "SET DEFAULT": "SET DEFAULT",
    "CASCADE": "CASCADE",
    "RESTRICT": "RESTRICT",
}
_EXPRESSIONS: dict[str, LiteralString] = {
    "CURRENT_TIMESTAMP": "CURRENT_TIMESTAMP",
    "gen_random_uuid()": "gen_random_uuid()",
    "CURRENT_TIMESTAMP(0)": "CURRENT_TIMESTAMP(0)",
    "CURRENT_TIMESTAMP(1)": "CURRENT_TIMESTAMP(1)",
    "CURRENT_TIMESTAMP(2)": "CURRENT_TIMESTAMP(2)",
    "CURRENT_TIMESTAMP(3)": "CURRENT_TIMESTAMP(3)",
    "CURRENT_TIMESTAMP(4)": "CURRENT_TIMESTAMP(4)",
    "CURRENT_TIMESTAMP(5)": "CURRENT_TIMESTAMP(5)",
    "CURRENT_TIMESTAMP(6)": "CURRENT_TIMESTAMP(6)",
}


def create_table(
    schema: str, table: str, columns: Sequence[ColumnDraft], *, indexes: bool = True
) -> list[Statement]:
    """A new table with its key, unique constraints and (unless made concurrently later) indexes."""
    clauses = [column_clause(column) for column in columns]
    clauses += [
        sql.SQL("PRIMARY KEY ({})").format(sql.Identifier(column.name))
        for column in columns
        if column.primary_key
    ]
    create = sql.SQL("CREATE TABLE {} ({})").format(
        sql.Identifier(schema, table), sql.SQL(", ").join(clauses)
    )
    found = [create]
    if indexes:
        for column in columns:
            found += column_indexes(schema, table, column)
    return found


def column_clause(column: ColumnDraft) -> Statement:
    """A column as it stands in CREATE TABLE and ADD COLUMN, without key and indexes."""
    parts: list[sql.Composable] = [sql.Identifier(column.name), type_name(column.type)]
    if column.default is not None:
        parts += [sql.SQL("DEFAULT"), default_expression(column.default)]
    if not column.nullable:
        parts.append(sql.SQL("NOT NULL"))
    return sql.SQL(" ").join(parts)


def column_indexes(schema: str, table: str, column: ColumnDraft) -> list[Statement]:
    """The unique constraint and the index a column asks for."""
    found = []
    if column.unique:
        found.append(add_unique(schema, table, column.name))
    if column.indexed:
        found.append(create_index(schema, table, column.name))
    return found


def add_column(schema: str, table: str, column: ColumnDraft, *, indexes: bool = True) -> list[Statement]:
    """A new column of an existing table."""
    found = [
        sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(sql.Identifier(schema, table), column_clause(column)),
    ]
    if column.primary_key:
        found.append(
            sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(
                sql.Identifier(schema, table), sql.Identifier(column.name)
            )
        )
    return found + (column_indexes(schema, table, column) if indexes else [])


def add_unique(schema: str, table: str, column: str) -> Statement:
    """A unique constraint by its conventional name."""
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} UNIQUE ({})").format(
        sql.Identifier(schema, table), _conventional(table, column, "unique"), sql.Identifier(column)
    )


def create_index(schema: str, table: str, column: str) -> Statement:
    """An index by its conventional name."""
    return sql.SQL("CREATE INDEX {} ON {} ({})").format(
        _conventional(table, column, "index"), sql.Identifier(schema, table), sql.Identifier(column)
    )


def create_index_concurrently(schema: str, table: str, column: str, *, unique: bool) -> Statement:
    """An index made without blocking writers, and outside transactions; a unique one is no constraint."""
    return sql.SQL("CREATE {} CONCURRENTLY {} ON {} ({})").format(
        sql.SQL("UNIQUE INDEX" if unique else "INDEX"),
        _conventional(table, column, "unique" if unique else "index"),
        sql.Identifier(schema, table),
        sql.Identifier(column),
    )


def drop_index(schema: str, name: str, *, concurrently: bool = False) -> Statement:
    """Remove an index."""
    return sql.SQL("DROP INDEX {} {}").format(
        sql.SQL("CONCURRENTLY IF EXISTS" if concurrently else ""), sql.Identifier(schema, name)
    )


def drop_constraint(schema: str, table: str, name: str) -> Statement:
    """Remove a constraint."""
    return sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
        sql.Identifier(schema, table), sql.Identifier(name)
    )


def drop_table(schema: str, table: str) -> Statement:
    """Remove a table. Without CASCADE: what refers to it has to be dealt with first."""
    return sql.SQL("DROP TABLE {}").format(sql.Identifier(schema, table))


def drop_column(schema: str, table: str, column: str) -> Statement:
    """Remove a column with its constraints and indexes."""
    return sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(
        sql.Identifier(schema, table), sql.Identifier(column)
    )


def retype(schema: str, table: str, column: str, declared: ColumnType) -> Statement:
    """Another type, by an explicit cast of the values: what is too long for it is cut."""
    return sql.SQL("ALTER TABLE {table} ALTER COLUMN {column} TYPE {type} USING {column}::{type}").format(
        table=sql.Identifier(schema, table), column=sql.Identifier(column), type=type_name(declared)
    )


def set_default(schema: str, table: str, column: str, default: Default | None) -> Statement:
    """Another default, or none."""
    head = sql.SQL("ALTER TABLE {} ALTER COLUMN {}").format(
        sql.Identifier(schema, table), sql.Identifier(column)
    )
    if default is None:
        return sql.SQL("{} DROP DEFAULT").format(head)
    return sql.SQL("{} SET DEFAULT {}").format(head, default_expression(default))


def set_nullable(schema: str, table: str, column: str, *, nullable: bool) -> Statement:
    """Whether the column may be null."""
    return sql.SQL("ALTER TABLE {} ALTER COLUMN {} {} NOT NULL").format(
        sql.Identifier(schema, table), sql.Identifier(column), sql.SQL("DROP" if nullable else "SET")
    )


def add_foreign_key(
    table: tuple[str, str],
    column: str,
    target: tuple[str, str, str],
    actions: tuple[ReferenceAction, ReferenceAction],
    name: str | None = None,
) -> Statement:
    """A foreign key: ``target`` is schema, table and column; ``actions`` are those of update and delete."""
    on_update, on_delete = actions
    return sql.SQL(
        "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON UPDATE {} ON DELETE {}"
    ).format(
        sql.Identifier(*table),
        sql.Identifier(name) if name else _conventional(table[1], column, "foreign"),
        sql.Identifier(column),
        sql.Identifier(*target[:2]),
        sql.Identifier(target[2]),
        sql.SQL(_ACTIONS[on_update]),
        sql.SQL(_ACTIONS[on_delete]),
    )


def rename_table(schema: str, table: str, name: str) -> Statement:
    """Another name for a table."""
    return sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(schema, table), sql.Identifier(name))


def rename_column(schema: str, table: str, column: str, name: str) -> Statement:
    """Another name for a column."""
    return sql.SQL("ALTER TABLE {} RENAME COLUMN {} TO {}").format(
        sql.Identifier(schema, table), sql.Identifier(column), sql.Identifier(name)
    )


def replace_value(schema: str, table: str, column: str, old: str, new: str) -> Statement:
    """Another text in a column, wherever it holds the old one."""
    return sql.SQL("UPDATE {} SET {} = {} WHERE {} = {}").format(
        sql.Identifier(schema, table),
        sql.Identifier(column),
        sql.Literal(new),
        sql.Identifier(column),
        sql.Literal(old),
    )


def type_name(declared: ColumnType) -> sql.Composable:
    """A type with the numbers in its brackets; the name is one of ours, never a client's."""
    if not declared.arguments:
        return sql.SQL(declared.name)
    arguments: Iterable[sql.Composable] = (
        sql.Literal(entry) if isinstance(entry, int) else sql.Identifier(entry)
        for entry in declared.arguments
    )
    return sql.SQL("{}({})").format(sql.SQL(declared.name), sql.SQL(", ").join(arguments))


def default_expression(default: Default) -> sql.Composable:
    """A default: one of the allowed expressions, or a quoted literal."""
    if default.expression:
        return sql.SQL(_EXPRESSIONS[default.text])
    return sql.Literal(default.text)


def _conventional(table: str, column: str, kind: Kind) -> sql.Identifier:
    return sql.Identifier(constraint_name(table, column, kind))
