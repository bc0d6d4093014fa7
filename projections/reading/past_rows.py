"""Rows as they were at a moment, as a sub-query in the place of a table."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from psycopg import sql

from domain.errors import InvalidQuery
from domain.query.operands import Operand, Value
from domain.query.past import Past, PastTable, Row
from projections.reading.compose import Piece, name, word
from projections.sql import load

FROM: Final = "acta from"
TO: Final = "acta to"
LAST: Final = 2**63 - 1
_FOLD: Final = load("time/states")["fold"].as_string(None).replace("{{", "{").replace("}}", "}")
_PARTS: Final = re.split(r"(%\(\w+\)s|\{scope\})", _FOLD)

Bind = Callable[[Operand], Piece]


def history_table(number: int) -> sql.Identifier:
    """The table of a collection's history."""
    return sql.Identifier("acta", f"history_{number}")


def past_rows(past: Past, row: Row, bind: Bind) -> Piece:
    """The rows of a table at the cut, in parentheses.

    Raises:
        InvalidQuery: for tables whose rows the log does not tell: views, tables without a key.
    """
    found = past.of(row.schema, row.table)
    if found is None:
        raise InvalidQuery(f'"{row.table}" has no history that could be read as of a moment')
    if found.history:
        position = word(bind(past.position), "::bigint")
        # Begun by then and not ended. Rows are compared, for of the end alone PostgreSQL 18 thinks that an
        # index (key, end, begin) has to be searched once for each end there is, and shuns it.
        return word(
            "(SELECT h.* FROM ", history_table(found.history), " AS h WHERE h.", name(FROM), " <= ", position,
            " AND (h.", name(TO), ", h.", name(FROM), ") > (", position, ", ", sql.Literal(LAST), "))",
        )  # fmt: skip
    item = past.item if row.number == past.root else None
    return word(
        "(SELECT r.* FROM (", _fold(past, found, item, bind), ") AS a CROSS JOIN LATERAL"
        " jsonb_populate_record(NULL::", name(row.schema, row.table), ", a.state) AS r)",
    )  # fmt: skip


def _fold(past: Past, found: PastTable, item: Value | None, bind: Bind) -> Piece:
    pieces: list[Piece] = []
    for part in _PARTS:
        if part == "{scope}":
            if item is not None:
                pieces.append(
                    word("JOIN (SELECT ", bind(item), "::text AS item) AS asked ON asked.item = e.item")
                )
        elif part == "%(collection)s":
            pieces.append(sql.Literal(found.collection))
        elif part == "%(upto)s":
            pieces.append(word(bind(past.upto), "::bigint"))
        elif part == "%(later)s":
            pieces.append(word(bind(past.later), "::text"))
        else:
            pieces.append(sql.SQL(part))
    return sql.Composed(pieces)
