"""Row rules of a caller as a condition on the row that is to be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import abc, sql

from domain.access.command import Command
from domain.access.rights import Rule
from domain.items.shape import Shape
from domain.query.alternatives import united
from domain.query.conditions import compile_filter
from domain.query.filters import Filter, parse_filter
from domain.query.limits import QueryLimits
from domain.query.operands import Operand
from domain.query.plan import Predicate, Row, Truth, both
from domain.query.scope import Scope
from projections.reading.compose import Piece
from projections.reading.expressions import Expressions
from projections.reading.statement import bound
from projections.tables.writing.naming import SLOT


@dataclass(frozen=True)
class Condition:
    """A predicate on the row that is written, with the values of its parameters in their order.

    Equal conditions have equal ``text``, whatever their values, so statements are kept by it.
    """

    text: bytes
    values: tuple[str | None, ...]

    @property
    def clause(self) -> sql.Composable:
        """The predicate, with slots for its values."""
        return sql.SQL(self.text.decode())

    def __eq__(self, other: object) -> bool:
        """By the text alone."""
        return isinstance(other, Condition) and other.text == self.text

    def __hash__(self) -> int:
        """By the text alone."""
        return hash(self.text)


class _Slot(sql.Composable):
    """The place of an operand; those of a text are noted in the order in which they stand in it."""

    def __init__(self, operand: Operand, noted: list[Operand]) -> None:
        super().__init__(operand)
        self._noted = noted

    def as_bytes(self, context: abc.AdaptContext | None = None) -> bytes:
        """A slot."""
        self._noted.append(self._obj)
        return SLOT.as_bytes(context)


class Slotted(Expressions):
    """Expressions of the query engine with slots instead of numbered parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[Operand] = []

    def bind(self, operand: Operand) -> Piece:
        """A slot for an operand."""
        return _Slot(operand, self.noted)


def condition_of(shape: Shape, command: Command, groups: Sequence[Sequence[Rule]] | None) -> Condition | None:
    """The condition that rows meet at least one rule of each group; None when there is nothing to meet."""
    if groups is None:
        return None
    scope = Scope(shape.model, command.rights, command.caller, QueryLimits()).trusted()
    # The first row of a plan has the alias t0, as has the table in our statements.
    row = scope.row(shape.collection)
    needed = [_any(scope, group, shape, row) for group in groups]
    predicate = both(*needed)
    if predicate is None or predicate == Truth(True):
        return None
    expressions = Slotted()
    clause = sql.SQL("({})").format(expressions.predicate(predicate))
    text = clause.as_bytes(None)
    return Condition(text, bound_values(expressions.noted, command))


def bound_values(operands: Sequence[Operand], command: Command) -> tuple[str | None, ...]:
    """The values of a condition's or answer's parameters in one command."""
    now = datetime.now(UTC)
    values = [bound(operand, command.caller, now) for operand in operands]
    return tuple(None if value is None else value.decode() for value in values)


def _any(scope: Scope, group: Sequence[Rule], shape: Shape, row: Row) -> Predicate | None:
    if not group:
        return Truth(False)
    return compile_filter(scope, united([_parsed(rule) for rule in group]), shape.collection, row)


def _parsed(rule: Rule) -> Filter:
    return parse_filter(rule.filter or {}, depth=100, trusted=True)
