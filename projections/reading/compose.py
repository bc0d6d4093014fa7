"""Small words to write generated SQL with: everything is a `psycopg.sql` value, nothing is formatted text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import LiteralString

from psycopg import abc, sql

Piece = sql.Composable

COMMA = sql.SQL(", ")
AND = sql.SQL(" AND ")
OR = sql.SQL(" OR ")


class Parameter(sql.Composable):
    """The place of a bound operand: ``$1``."""

    def __init__(self, number: int) -> None:
        super().__init__(number)

    def as_bytes(self, context: abc.AdaptContext | None = None) -> bytes:
        """The placeholder as PostgreSQL itself writes it."""
        return b"$" + str(self._obj).encode()


@cache
def sql_text(text: LiteralString) -> sql.SQL:
    """A constant part of a statement."""
    return sql.SQL(text)


def word(*parts: LiteralString | Piece) -> Piece:
    """Parts one after the other; texts are constants of the code."""
    return sql.Composed([sql_text(part) if isinstance(part, str) else part for part in parts])


@lru_cache(maxsize=10_000)
def name(*parts: str) -> sql.Identifier:
    """A quoted, possibly qualified name."""
    return sql.Identifier(*parts)


def numbered(prefix: str, number: int) -> sql.Identifier:
    """A name of ours: aliases of rows (t0), of common tables (p0) ..."""
    return name(prefix + str(number))


def listed(parts: Iterable[Piece], separator: Piece = COMMA) -> Piece:
    """Parts with a separator between them."""
    result: list[Piece] = []
    for part in parts:
        if result:
            result.append(separator)
        result.append(part)
    return sql.Composed(result)


def where(conditions: Sequence[Piece | None]) -> Piece:
    """A WHERE clause, empty without conditions."""
    present = [condition for condition in conditions if condition is not None]
    return word(" WHERE ", listed(present, AND)) if present else word()
