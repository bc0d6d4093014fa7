"""The answer to a write made by the statement that writes: the item as a read right after would give it.

It is the query engine's own plan of the item with the written row in the place of its table. Where that
could differ from a read afterwards (rights that hide something, triggers, other rows of the same table),
there is no such answer and the item is read by a statement of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from psycopg import sql

from domain.access.command import Command
from domain.errors import ActaError
from domain.items.shape import Shape
from domain.query.limits import QueryLimits
from domain.query.operands import Operand
from domain.query.parse import parse_query
from domain.query.plan import Groups, Level, Row, ToMany
from domain.query.planner import plan_item
from domain.query.query import Parameters, Query
from domain.query.text import parse_text
from projections.reading.compiler import compile_item
from projections.reading.compose import Piece, numbered, word
from projections.tables.writing.conditions import Slotted

_LONGEST = 1000
_WRITTEN = sql.Identifier("acta row")


@dataclass(frozen=True)
class Echo:
    """The query of the answer, to stand in the statement that writes; equal for equal requests."""

    raw: str
    new: bool
    query: sql.Composable
    operands: tuple[Operand, ...]

    def __eq__(self, other: object) -> bool:
        """By the request's text and kind alone."""
        return isinstance(other, Echo) and other.raw == self.raw and other.new == self.new

    def __hash__(self) -> int:
        """By the request's text alone."""
        return hash(self.raw)


class _OnWritten(Slotted):
    """Expressions that find the plan's first row among the rows just written."""

    def __init__(self, root: Row) -> None:
        super().__init__()
        self._root = root
        self.same_table = False

    def table(self, row: Row) -> Piece:
        """A table under its row's alias."""
        if row.number == self._root.number:
            return word(_WRITTEN, " ", numbered("t", row.number))
        # What the statement itself writes is not to be seen by its other parts.
        self.same_table |= (row.schema, row.table) == (self._root.schema, self._root.table)
        return super().table(row)


def echo_of(
    shape: Shape, command: Command, raw: str, limits: QueryLimits, *, new: bool = False
) -> Echo | None:
    """The answer's query for a request, None where the item has to be read afterwards."""
    if not command.rights.admin or shape.collection.triggers or len(raw) > _LONGEST:
        return None
    try:
        query = parse_query(parse_text(raw, brackets=limits.brackets, elements=limits.elements), limits)
        if not _about_the_answer_only(query):
            return None
        plan = plan_item(shape.model, command.rights, command.caller, shape.name, query, limits)
    except ActaError:
        # The read afterwards says so, when the item is written.
        return None
    if isinstance(plan.answer, Groups):
        return None
    expressions = _OnWritten(plan.page.row)
    answer = _without_owned(plan.answer) if new else plan.answer
    made = compile_item(replace(plan, page=replace(plan.page, where=None), answer=answer), expressions)
    text = made.as_bytes(None).decode()
    if expressions.same_table:
        return None
    return Echo(raw, new, sql.SQL(text), tuple(expressions.noted))


def _without_owned(level: Level) -> Level:
    """The answer for a row that was not there before: no row can name it yet where a constraint says so."""
    outputs = tuple(
        (output, replace(node, limit=0) if isinstance(node, ToMany) and node.link.owned else node)
        for output, node in level.outputs
    )
    return replace(level, outputs=outputs)


def _about_the_answer_only(query: Query) -> bool:
    """Whether a query chooses members, and not whether the item is shown at all."""
    chosen = Parameters(alias=query.root.alias, levels=query.root.levels)
    plain = Query(fields=query.fields, root=chosen, backlink=query.backlink)
    return query in (plain, replace(plain, root=replace(chosen, limit=query.root.limit))) and (
        query.root.limit != 0
    )
