"""The ``search`` parameter: any searchable field of the root that the term can match."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from domain.model import Collection, Field
from domain.query.comparisons import _pattern
from domain.query.fields import TEXT_TYPES
from domain.query.operands import Value
from domain.query.plan import Compare, Expression, Predicate, Row, Text, both, either
from domain.query.scope import Scope
from domain.query.visibility import mask

_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d*[1-9])?")
_RANGES = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_LARGEST_REAL = Decimal("3.4e38")


def search_predicate(scope: Scope, collection: Collection, row: Row, term: str | None) -> Predicate | None:
    """The rows that a search term finds; nothing when no field can match."""
    if term is None:
        return None
    found: list[Predicate] = []
    for field in collection.item_fields.values():
        if field.alias or not field.searchable or not scope.permitted(collection, field.name):
            continue
        match = _match(scope.ref(row, collection, field.name), field, term)
        visible = mask(scope, collection, row, field.name)
        predicate = both(match, visible) if match is not None else None
        if predicate is not None:
            found.append(predicate)
    return either(*found)


def _match(expression: Expression, field: Field, term: str) -> Predicate | None:
    base = field.column.base_type if field.column else ""
    if field.type in ("string", "text"):
        operand = expression if base in TEXT_TYPES else Text(expression)
        return Compare("icontains", operand, _pattern("_icontains", Value(term)))
    if field.type in ("integer", "bigInteger", "float", "decimal"):
        return Compare("eq", expression, Value(term)) if _in_range(base, term) else None
    if field.type == "uuid" and _UUID.fullmatch(term):
        return Compare("eq", expression, Value(term))
    return None


def _in_range(base: str, term: str) -> bool:
    if not _NUMBER.fullmatch(term):
        return False
    try:
        amount = Decimal(term)
    except InvalidOperation:
        return False
    limit = _RANGES.get(base)
    if limit is None:
        return abs(amount) < _LARGEST_REAL
    return amount == int(amount) and -limit <= amount < limit
