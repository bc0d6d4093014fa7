"""Exports: items row by row with bounded memory, and CSV that PostgreSQL writes where the columns are known.

Both read through one statement in one transaction. `stream` declares a cursor and fetches batches;
`copy_csv` is a COPY, which takes no parameters: there the operands stand as literals, quoted by psycopg.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

from psycopg import sql

from domain.access.caller import Caller
from domain.query.operands import Operand
from domain.query.plan import Level, Masked, ReadPlan, Ref, Scalar
from projections.database import Database
from projections.reading.channel import copy_out, fetch
from projections.reading.compiler import compile_rows
from projections.reading.compose import Piece, listed, numbered, word
from projections.reading.expressions import Expressions
from projections.reading.formats import in_form
from projections.reading.statement import Statement, bound

BATCHES = (20, 200, 2000)
"""Rows that are fetched at once: fewer as they are larger."""
SMALL, LARGE = 1 << 18, 1 << 22
"""Bytes of a batch below which the next may be longer, and above which it has to be shorter."""
_CURSOR = b"acta_export"
# What COPY writes without quotes, as JSON would; everything else is a text.
_BARE = frozenset({"smallint", "integer", "real", "double precision", "boolean"})
_QUOTED = frozenset(
    {
        "bigint",
        "numeric",
        "text",
        "uuid",
        "date",
        "character varying",
        "character",
        "time without time zone",
        "timestamp without time zone",
        "timestamp with time zone",
    }
)


async def stream(
    database: Database, statement: Statement, caller: Caller, seconds: float
) -> AsyncGenerator[list[bytes]]:
    """The items of a statement that keeps one row per item, in batches of their JSON."""
    parameters = statement.parameters(caller)
    declare = _plain(statement, b"DECLARE " + _CURSOR + b" NO SCROLL CURSOR FOR " + statement.text)
    sizes = [_plain(statement, b"FETCH " + str(rows).encode() + b" FROM " + _CURSOR) for rows in BATCHES]
    async with database.transaction() as connection:
        # All rows will be read, so a plan that has the first ones early is no use.
        await connection.execute("SET LOCAL cursor_tuple_fraction = 1")
        await fetch(connection, declare, parameters, seconds)
        place = 0
        while rows := await fetch(connection, sizes[place], (), seconds):
            batch = [b"null" if row is None else row for row in rows]
            size = sum(map(len, batch))
            yield batch
            if size > LARGE:
                place = max(place - 1, 0)
            elif size < SMALL:
                place = min(place + 1, len(sizes) - 1)


def _plain(statement: Statement, text: bytes) -> Statement:
    return Statement(text, (), statement.version, (), "rows")


def flat_columns(plan: ReadPlan) -> Sequence[tuple[str, Scalar]] | None:
    """The columns of an export whose items hold plain values only; None for all others."""
    answer = plan.answer
    if not isinstance(answer, Level) or not answer.outputs:
        return None
    columns = [
        (output, node) for output, node in answer.outputs if isinstance(node, Scalar) and _simple(node)
    ]
    return columns if len(columns) == len(answer.outputs) else None


def _simple(scalar: Scalar) -> bool:
    kind = _type(scalar)
    if scalar.format == "plain":
        return kind in _BARE or kind in _QUOTED
    return scalar.format in ("text", "datetime", "timestamp", "conceal") and kind in _BARE | _QUOTED


def _type(scalar: Scalar) -> str:
    expression = scalar.expression
    while isinstance(expression, Masked):
        expression = expression.expression
    return expression.type if isinstance(expression, Ref) else ""


async def copy_csv(
    database: Database,
    plan: ReadPlan,
    columns: Sequence[tuple[str, Scalar]],
    caller: Caller,
    seconds: float,
) -> AsyncGenerator[bytes]:
    """The lines of a CSV file without its header, each ended by a line feed.

    Raises:
        ServiceUnavailable: when PostgreSQL takes longer than ``seconds`` to come up with more of them.
    """
    expressions = _Literals(caller)
    # Names of ours, for those of the answer may be longer than PostgreSQL's.
    names = [numbered("c", number) for number in range(len(columns))]
    members = [
        word(_cell(expressions, scalar), " AS ", label)
        for label, (_, scalar) in zip(names, columns, strict=True)
    ]
    texts = [label for label, (_, scalar) in zip(names, columns, strict=True) if not _bare(scalar)]
    force = word(", FORCE_QUOTE (", listed(texts), ")") if texts else word()
    rows = compile_rows(plan, members, expressions)
    command = sql.Composed([word("COPY (", rows, ") TO STDOUT (FORMAT csv", force, ")")])
    async with (
        database.connection() as connection,
        aclosing(copy_out(connection, command.as_bytes(connection), seconds)) as blocks,
    ):
        async for block in blocks:
            yield block


def _bare(scalar: Scalar) -> bool:
    return scalar.format == "plain" and _type(scalar) in _BARE


def _cell(expressions: Expressions, scalar: Scalar) -> Piece:
    value = expressions.expression(scalar.expression)
    if scalar.format == "datetime":
        return word("to_char((", value, ")::timestamp, 'YYYY-MM-DD\"T\"HH24:MI:SS')")
    if scalar.format == "plain" and _type(scalar) == "boolean":
        return word("(", value, ")::text")
    return in_form(value, scalar.format)


class _Literals(Expressions):
    """Expressions whose operands are written as literals."""

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self._caller, self._now = caller, datetime.now(UTC)

    def bind(self, operand: Operand) -> Piece:
        value = bound(operand, self._caller, self._now)
        return sql.NULL if value is None else sql.Literal(value.decode())
