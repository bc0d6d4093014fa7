"""Sort keys to an order, and the value at the end of a path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.errors import InvalidQuery
from domain.model import Collection
from domain.query.calls import called
from domain.query.fields import require_open
from domain.query.plan import Expression, First, Join, JsonPath, Order, Row
from domain.query.query import Sort
from domain.query.scope import Path, Scope, function_call
from domain.query.visibility import masked, step_to


@dataclass
class Ordering:
    """Collects the order of one list and the rows that it has to join for it."""

    scope: Scope
    collection: Collection
    row: Row
    path: Path = ()
    joins: dict[Path, Join] = field(default_factory=dict)
    places: dict[Path, tuple[Collection, Row]] = field(default_factory=dict)

    def keys(self, sort: Sequence[Sort]) -> tuple[Order, ...]:
        """The sort keys; one asked for twice counts once."""
        first: dict[Path, Sort] = {}
        for key in sort:
            first.setdefault(key.path, key)
        return tuple(Order(self.expression(key), key.descending) for key in first.values())

    def expression(self, key: Sort) -> Expression:
        """What one sort key sorts by."""
        collection, row = self.collection, self.row
        for depth, step in enumerate(key.path[:-1], 1):
            here = self.path + key.path[: depth - 1]
            if self.scope.many(collection, step):
                return self._first(collection, row, key, depth - 1)
            prefix = key.path[:depth]
            if prefix not in self.places:
                hop, visible = step_to(self.scope, collection, row, step, here)
                self.joins[prefix] = Join(hop.row, hop.link, visible)
                self.places[prefix] = hop.collection, hop.row
            collection, row = self.places[prefix]
        if "(" not in key.path[-1] and self.scope.many(collection, key.path[-1]):
            return self._first(collection, row, key, len(key.path) - 1)
        return value_at(self.scope, collection, row, key.path[-1:], self.path + key.path[:-1], key.descending)

    def _first(self, collection: Collection, row: Row, key: Sort, depth: int) -> Expression:
        rest = key.path[depth:]
        return value_at(self.scope, collection, row, rest, self.path + key.path[:depth], key.descending)


def value_at(
    scope: Scope, collection: Collection, row: Row, path: Path, base: Path, descending: bool = False
) -> Expression:
    """The value at the end of a path; through several rows it is the first in its own order."""
    step, rest = path[0], path[1:]
    if not rest:
        call = function_call(step, collection)
        if call is not None:
            return _sortable(called(scope, collection, row, call, base))
        if not scope.many(collection, step):
            return _column(scope, collection, row, step, base)
        scope.field(collection, step, base)
    hop, visible = step_to(scope, collection, row, step, base)
    inner = rest or (hop.collection.primary_key[0],)
    expression = value_at(scope, hop.collection, hop.row, inner, (*base, step), descending)
    return First(hop.row, hop.link, visible, expression, descending)


def _column(scope: Scope, collection: Collection, row: Row, name: str, base: Path) -> Expression:
    found = scope.field(collection, name, base)
    # Items have to have some order, and what can be a key has one.
    if name not in collection.primary_key:
        if found.alias or found.type == "json":
            raise InvalidQuery(f'Field "{name}" in collection "{collection.name}" can\'t be sorted by')
        require_open(found, "sorted by")
    return masked(scope, collection, row, found)


def _sortable(expression: Expression) -> Expression:
    # JSON has no order; what is inside sorts by its text.
    if isinstance(expression, JsonPath):
        return JsonPath(expression.argument, expression.path, text=True)
    return expression
