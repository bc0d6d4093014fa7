"""Expressions and predicates of a plan as SQL.

Operands are bound in the order they are met. Every column that is written is noted per row, so that the page
of a list carries just the columns that the answer needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

from psycopg import sql

from domain.query import dynamic
from domain.query.operands import Dynamic, LookedUp, Operand, Value, Values
from domain.query.past import Past
from domain.query.plan import (
    Aggregate,
    Between,
    Both,
    Call,
    Compare,
    Counted,
    Either,
    Exists,
    Expression,
    First,
    JoinedKey,
    JsonPath,
    Keyed,
    Link,
    Masked,
    Predicate,
    Ref,
    Row,
    Text,
    Truth,
)
from projections.reading.compose import AND, OR, Parameter, Piece, listed, name, numbered, where, word
from projections.reading.past_rows import past_rows

_INFIX: Mapping[str, LiteralString] = {
    "eq": " = ",
    "neq": " <> ",
    "lt": " < ",
    "lte": " <= ",
    "gt": " > ",
    "gte": " >= ",
    "contains": " LIKE ",
    "ncontains": " NOT LIKE ",
    "starts_with": " LIKE ",
    "nstarts_with": " NOT LIKE ",
    "ends_with": " LIKE ",
    "nends_with": " NOT LIKE ",
}
_LOWERED: Mapping[str, LiteralString] = {
    "icontains": " LIKE ",
    "istarts_with": " LIKE ",
    "nistarts_with": " NOT LIKE ",
    "iends_with": " LIKE ",
    "niends_with": " NOT LIKE ",
}
_PARTS: Mapping[str, LiteralString] = {
    "year": "year",
    "month": "month",
    "week": "week",
    "day": "day",
    "weekday": "dow",
    "hour": "hour",
    "minute": "minute",
    "second": "second",
}
_AGGREGATES: Mapping[str, tuple[LiteralString, LiteralString]] = {
    "count": ("count(", ")"),
    "countDistinct": ("count(DISTINCT ", ")"),
    "sum": ("sum(", ")"),
    "sumDistinct": ("sum(DISTINCT ", ")"),
    "avg": ("avg(", ")"),
    "avgDistinct": ("avg(DISTINCT ", ")"),
    "min": ("min(", ")"),
    "max": ("max(", ")"),
}
# Texts that the cast to a key's type takes without an error; anything else is no key.
_KEY_PATTERNS: Mapping[str, tuple[LiteralString, LiteralString]] = {
    "smallint": ("'^-?[0-9]{1,4}$'", "::smallint"),
    "integer": ("'^-?[0-9]{1,9}$'", "::integer"),
    "bigint": ("'^-?[0-9]{1,18}$'", "::bigint"),
    "numeric": ("'^-?[0-9]{1,100}([.][0-9]{1,100})?$'", "::numeric"),
    "uuid": ("'^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'", "::uuid"),
}


class Expressions:
    """Writes expressions; ``operands`` are what the statement's parameters stand for."""

    def __init__(self) -> None:
        self.operands: list[Operand] = []
        self.columns: dict[int, dict[str, None]] = {}
        self.past: Past | None = None

    def bind(self, operand: Operand) -> Piece:
        """A parameter for an operand."""
        self.operands.append(operand)
        return Parameter(len(self.operands))

    def text(self, value: str) -> Piece:
        """A parameter for a text, which PostgreSQL is told to be one."""
        return word(self.bind(Value(value)), "::text")

    def table(self, row: Row) -> Piece:
        """A table under its row's alias; as of a moment, what stands for it."""
        if self.past is not None:
            return word(past_rows(self.past, row, self.bind), " ", numbered("t", row.number))
        return word(name(row.schema, row.table), " ", numbered("t", row.number))

    def expression(self, expression: Expression) -> Piece:  # noqa: PLR0911
        """The SQL of an expression."""
        match expression:
            case Ref(row, column, _):
                self.columns.setdefault(row.number, {})[column] = None
                return word(numbered("t", row.number), ".", name(column))
            case Masked(inner, visible):
                return word("CASE WHEN ", self.predicate(visible), " THEN ", self.expression(inner), " END")
            case Text(inner):
                return word("(", self.expression(inner), ")::text")
            case Call():
                return self._call(expression)
            case Counted(row, link, condition):
                return word("(SELECT count(*) FROM ", self.table(row), self._related(link, condition), ")")
            case First():
                return self._first(expression)
            case JsonPath(inner, path, text):
                operator: LiteralString = " #>> " if text else " #> "
                argument = self.json(inner)
                return word("(", argument, operator, self.bind(Values(path)), "::text[])")
            case Keyed(inner, key_type):
                return self._keyed(inner, key_type)
            case JoinedKey(parts):
                return self._joined(parts)
            case Aggregate(function, inner):
                if inner is None:
                    return word("count(*)")
                before, after = _AGGREGATES[function]
                return word(before, self.expression(inner), after)

    def json(self, expression: Expression) -> Piece:
        """An expression as json or jsonb, whichever it is; text that holds JSON is cast."""
        written = self.expression(expression)
        return written if base_type(expression) in ("json", "jsonb") else word("(", written, ")::json")

    def _call(self, call: Call) -> Piece:
        if call.function == "number":
            argument = self.expression(call.argument)
            pattern = word(" ~ '^-?[0-9]{1,200}([.][0-9]{1,200})?([eE][+-]?[0-9]{1,3})?$' THEN (")
            return word("CASE WHEN ", argument, pattern, argument, ")::numeric END")
        if call.function == "count":
            argument = self.json(call.argument)
            binary = base_type(call.argument) == "jsonb"
            kind: LiteralString = "jsonb_typeof(" if binary else "json_typeof("
            length: LiteralString = "jsonb_array_length(" if binary else "json_array_length("
            return word("CASE WHEN ", kind, argument, ") = 'array' THEN ", length, argument, ") END")
        argument = self.expression(call.argument)
        if base_type(call.argument) == "timestamp with time zone":
            argument = word("(", argument, " AT TIME ZONE 'UTC')")
        return word("extract(", _PARTS[call.function], " FROM ", argument, ")")

    def _first(self, first: First) -> Piece:
        value = self.expression(first.expression)
        direction: LiteralString = " DESC" if first.descending else ""
        rows = word(self.table(first.row), self._related(first.link, first.where))
        return word("(SELECT ", value, " FROM ", rows, " ORDER BY 1", direction, " LIMIT 1)")

    def _keyed(self, inner: Expression, key_type: str) -> Piece:
        text = word("(", self.expression(inner), ")::text")
        if key_type not in _KEY_PATTERNS:
            return text
        pattern, cast = _KEY_PATTERNS[key_type]
        return word("CASE WHEN ", text, " ~ ", pattern, " THEN ", text, cast, " END")

    def _joined(self, parts: tuple[Expression, ...]) -> Piece:
        escaped = [
            word("replace(replace((", self.expression(part), ")::text, '%', '%25'), ',', '%2C')")
            for part in parts
        ]
        return word("concat_ws(',', ", listed(escaped), ")")

    # -- predicates ----------------------------------------------------------------------------------------

    def link(self, link: Link) -> Piece:
        """The condition that two rows are related."""
        pairs = [word(self.expression(there), " = ", self.expression(here)) for here, there in link.pairs]
        if link.when is not None:
            pairs.append(self.predicate(link.when))
        return listed(pairs, AND)

    def _related(self, link: Link, condition: Predicate | None) -> Piece:
        return where([self.link(link), self.optional(condition)])

    def optional(self, predicate: Predicate | None) -> Piece | None:
        """A predicate that may be missing."""
        return None if predicate is None else self.predicate(predicate)

    def predicate(self, predicate: Predicate) -> Piece:
        """The SQL of a predicate, safe to stand beside AND."""
        match predicate:
            case Truth(value):
                return word("true" if value else "false")
            case Both(members):
                return word("(", listed([self.predicate(member) for member in members], AND), ")")
            case Either(members):
                return word("(", listed([self.predicate(member) for member in members], OR), ")")
            case Compare():
                return self._compare(predicate)
            case Between(inner, low, high, negated):
                between: LiteralString = " NOT BETWEEN " if negated else " BETWEEN "
                expression = self.expression(inner)
                return word("(", expression, between, self.operand(low), " AND ", self.operand(high), ")")
            case Exists(row, link, condition, negated):
                exists: LiteralString = "NOT EXISTS (SELECT FROM " if negated else "EXISTS (SELECT FROM "
                return word(exists, self.table(row), self._related(link, condition), ")")

    def _compare(self, compare: Compare) -> Piece:
        expression = self.expression(compare.expression)
        operator, operand = compare.operator, compare.operand
        if operand is None:
            missing: LiteralString = " IS NULL" if operator == "null" else " IS NOT NULL"
            return word(expression, missing)
        if operator in ("in", "nin"):
            quantifier: LiteralString = " = ANY (" if operator == "in" else " <> ALL ("
            if not _is_list(operand):
                return word(expression, " = " if operator == "in" else " <> ", self.operand(operand))
            return word(expression, quantifier, self.operand(operand), ")")
        if "intersects" in operator:
            return self._intersects(expression, operator, operand)
        if isinstance(operand, LookedUp) and dynamic.is_list(operand.owner):
            return word(
                expression, " = ANY (" if operator == "eq" else " <> ALL (", self.operand(operand), ")"
            )
        if operator in _LOWERED:
            return word("lower(", expression, ")", _LOWERED[operator], "lower(", self.operand(operand), ")")
        return word(expression, _INFIX[operator], self.operand(operand))

    def _intersects(self, expression: Piece, operator: str, operand: Operand) -> Piece:
        shape = word("ST_GeomFromGeoJSON(", self.operand(operand), "::text)")
        if operator.endswith("_bbox"):
            found = word("(", expression, " && ", shape, ")")
        else:
            found = word("ST_Intersects(", expression, ", ", shape, ")")
        return word("NOT ", found) if operator.startswith("n") else found

    def operand(self, operand: Operand) -> Piece:
        """A bound operand, or the query that looks it up."""
        if not isinstance(operand, LookedUp):
            return self.bind(operand)
        value = self.expression(operand.expression)
        key = self.expression(operand.key)
        if dynamic.is_list(operand.owner):
            owner = word(" = ANY (", self.bind(operand.owner), "::text[])")
        else:
            owner = word(" = ", self.bind(operand.owner))
        found = word("SELECT ", value, " FROM ", self.table(operand.row), " WHERE ", key, owner)
        return found if dynamic.is_list(operand.owner) else word("(", found, ")")


def _is_list(operand: Operand) -> bool:
    if isinstance(operand, LookedUp):
        return dynamic.is_list(operand.owner)
    return isinstance(operand, Values) or (isinstance(operand, Dynamic) and dynamic.is_list(operand))


def base_type(expression: Expression) -> str:
    """PostgreSQL's type of a column, possibly masked; empty for anything else."""
    if isinstance(expression, Masked):
        return base_type(expression.expression)
    return expression.type if isinstance(expression, Ref) else ""


def literal(number: int) -> Piece:
    """A whole number of the plan, such as a limit: written, since PostgreSQL plans by it."""
    return sql.Literal(number)
