"""Names of tables and columns inside composed statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from psycopg import sql

from domain.items.shape import Shape

NULL = sql.SQL("NULL")
COMMA = sql.SQL(", ")
AND = sql.SQL(" AND ")


def name(*parts: str) -> sql.Identifier:
    """An identifier; psycopg reads a per cent sign in a statement with parameters, even inside quotes."""
    return sql.Identifier(*(part.replace("%", "%%") for part in parts))


def literal(text: str) -> sql.Composable:
    """A text literal."""
    return sql.Literal(text.replace("%", "%%"))


def trusted(text: LiteralString | str) -> sql.SQL:
    """SQL that the catalog itself wrote: names of types, expressions of defaults."""
    return sql.SQL(text.replace("%", "%%"))


def table_of(shape: Shape) -> sql.Identifier:
    """The collection's table."""
    return name(shape.collection.schema, shape.collection.table)


def key_text(shape: Shape, row: sql.Composable) -> sql.Composable:
    """The key's text form; the rules are those of ``domain.model.keys``."""
    columns = [sql.SQL("({}).{}::text").format(row, name(entry.column.name)) for entry in shape.key]
    if len(columns) == 1:
        return columns[0]
    escaped = [
        sql.SQL("replace(replace({}, '%%', '%%25'), ',', '%%2C')").format(column) for column in columns
    ]
    return sql.SQL("concat_ws(',', {})").format(COMMA.join(escaped))


def joined(parts: Sequence[sql.Composable], by: sql.SQL = COMMA) -> sql.Composed:
    """Parts with something between them."""
    return by.join(parts)


def rendered(statement: sql.Composable) -> bytes:
    """The statement's text, made once and kept."""
    return statement.as_bytes(None)
