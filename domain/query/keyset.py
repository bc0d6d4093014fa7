"""Keyset pagination: a cursor holds the sort values of the last item, the next page begins behind them.

A cursor is the base64url text of a JSON list of texts, one per sort key. The order of a list that is read so
always ends in the primary key, so that no two items are equal.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence

from domain.errors import InvalidQuery
from domain.model import Collection
from domain.query.operands import Value
from domain.query.plan import Compare, Masked, Order, Predicate, Ref, Truth, both, either
from domain.query.query import Sort


def with_key(collection: Collection, sort: Sequence[Sort]) -> tuple[Sort, ...]:
    """A sort that ends in the key."""
    if not collection.primary_key:
        raise InvalidQuery(f'"{collection.name}" has no key to continue after')
    paths = {key.path for key in sort}
    return (*sort, *(Sort((name,)) for name in collection.primary_key if (name,) not in paths))


def behind(order: Sequence[Order], cursor: str, collection: Collection) -> Predicate:
    """The rows behind a cursor."""
    values = _decoded(cursor)
    if len(values) != len(order):
        raise InvalidQuery('"after" does not fit the sort')
    alternatives: list[Predicate | None] = []
    for position, (key, value) in enumerate(zip(order, values, strict=True)):
        equal = [
            _equal(earlier, given) for earlier, given in zip(order[:position], values[:position], strict=True)
        ]
        alternatives.append(both(*equal, _beyond(key, value, collection)) or Truth(True))
    found = either(*alternatives) or Truth(True)
    # The first key once more, as a bound that an index can begin at.
    bound = _bound(order[0], values[0], collection) if len(order) > 1 else None
    return both(bound, found) or Truth(True)


def _decoded(cursor: str) -> list[str | None]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise InvalidQuery('"after" is no cursor') from None
    if not isinstance(values, list) or not all(value is None or isinstance(value, str) for value in values):
        raise InvalidQuery('"after" is no cursor')
    if any(value is not None and "\x00" in value for value in values):
        raise InvalidQuery('"after" is no cursor')
    return values


def _equal(key: Order, value: str | None) -> Predicate:
    return Compare("null", key.expression) if value is None else Compare("eq", key.expression, Value(value))


def _beyond(key: Order, value: str | None, collection: Collection) -> Predicate:
    """NULLs are last ascending and first descending."""
    if key.descending:
        return (
            Compare("nnull", key.expression) if value is None else Compare("lt", key.expression, Value(value))
        )
    if value is None:
        return Truth(False)
    greater = Compare("gt", key.expression, Value(value))
    if not _nullable(key, collection):
        return greater
    return either(greater, Compare("null", key.expression)) or Truth(True)


def _bound(key: Order, value: str | None, collection: Collection) -> Predicate | None:
    if value is None or (not key.descending and _nullable(key, collection)):
        return None
    return Compare("lte" if key.descending else "gte", key.expression, Value(value))


def _nullable(key: Order, collection: Collection) -> bool:
    expression = key.expression
    if isinstance(expression, Masked) or not isinstance(expression, Ref):
        return True
    column = collection.columns.get(expression.column)
    same_table = expression.row.table == collection.table and expression.row.number == 0
    return not same_table or column is None or (column.nullable and not column.primary_key)
