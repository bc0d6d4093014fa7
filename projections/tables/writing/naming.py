"""Names, types and places of parameters inside composed statements.

A parameter's place is a NUL character until the statement is complete: no name and no text of SQL can hold
one, so nothing needs escaping, and places are numbered in the order in which they stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import LiteralString

from psycopg import sql

from domain.items.shape import Shape
from projections.sql import load

NULL = sql.SQL("NULL")
COMMA = sql.SQL(", ")
AND = sql.SQL(" AND ")
SLOT = sql.SQL("\0")
ROW = sql.SQL("t0")
"""The alias of the table that is written, the same as conditions of the query engine use for it."""


@cache
def templates(subject: LiteralString) -> Mapping[str, sql.SQL]:
    """Named statements of a ``.sql`` file, with slots where the file says ``%s``."""
    return {label: sql.SQL(_slotted(statement)) for label, statement in load(subject).items()}


def _slotted(statement: sql.SQL) -> LiteralString | str:
    return statement.as_bytes(None).decode().replace("%s", "\0")


def name(*parts: str) -> sql.Identifier:
    """An identifier."""
    return sql.Identifier(*parts)


def literal(text: str) -> sql.Composable:
    """A text literal."""
    return sql.Literal(text)


def trusted(text: LiteralString | str) -> sql.SQL:
    """SQL that the catalog itself wrote: names of types, expressions of defaults."""
    return sql.SQL(text)


def table_of(shape: Shape) -> sql.Identifier:
    """The collection's table."""
    return name(shape.collection.schema, shape.collection.table)


def key_text(shape: Shape, row: sql.Composable) -> sql.Composable:
    """The key's text form, of an alias or of a row in parentheses; the rules are ``domain.model.keys``'."""
    columns = [sql.SQL("{}.{}::text").format(row, name(entry.column.name)) for entry in shape.key]
    if len(columns) == 1:
        return columns[0]
    escaped = [sql.SQL("replace(replace({}, '%', '%25'), ',', '%2C')").format(column) for column in columns]
    return sql.SQL("concat_ws(',', {})").format(COMMA.join(escaped))


def joined(parts: Sequence[sql.Composable], by: sql.SQL = COMMA) -> sql.Composed:
    """Parts with something between them."""
    return by.join(parts)


def rendered(statement: sql.Composable) -> bytes:
    """The statement's text with its parameters numbered: made once and kept."""
    first, *others = statement.as_bytes(None).split(b"\0")
    return first + b"".join(b"$%d%s" % (number, part) for number, part in enumerate(others, 1))
