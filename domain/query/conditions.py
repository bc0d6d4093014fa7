"""Filters to predicates.

A condition through a relation is an EXISTS; conditions that have to hold on the same related row share one:
at every AND the members that speak of the same relation are grouped. At an OR each member stands alone, for
there is some row that meets x or y exactly if there is one that meets x or one that meets y. A missing
related row counts as one of NULLs, which conditions such as ``_null`` meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.access.caller import Caller
from domain.errors import InvalidQuery
from domain.model import Collection
from domain.query.comparisons import comparison, function_comparison, null_meets
from domain.query.dynamic import is_missing, variable
from domain.query.filters import (
    EVERYTHING,
    All,
    AnyOf,
    Condition,
    Filter,
    Quantified,
    conjunction,
    disjunction,
)
from domain.query.plan import Compare, Exists, Expression, Predicate, Row, Truth, both, either
from domain.query.scope import Path, Scope, function_call
from domain.query.visibility import masked, step_to

NOTHING = AnyOf(())


@dataclass(frozen=True, slots=True)
class Place:
    """A row that a path has led to, at last by a step to ``many`` or to one."""

    collection: Collection
    row: Row
    many: bool = False


@dataclass(frozen=True, slots=True)
class Conditions:
    """Compiles the conditions of one filter. ``places`` are the rows that prefixes of paths stand for."""

    scope: Scope
    places: Mapping[Path, Place]
    base: Path = ()

    def compile(self, filter: Filter) -> Predicate | None:
        """The predicate of a filter, None if it always holds."""
        if filter == EVERYTHING:
            return None
        if isinstance(filter, All):
            return self._all(filter.members)
        if isinstance(filter, AnyOf):
            return either(*(self.compile(member) for member in filter.members))
        if isinstance(filter, Quantified):
            return self._quantified(filter)
        missing = self._missing(filter)
        return self._through(missing, filter) if missing else self._condition(filter)

    def _all(self, members: Sequence[Filter]) -> Predicate | None:
        """Members that need the same relation are compiled together, so that one row has to meet them."""
        groups: list[tuple[set[Path], list[Filter]]] = []
        predicates: list[Predicate | None] = []
        for member in members:
            needed = self._needed(member)
            if not needed:
                predicates.append(self.compile(member))
                continue
            merged, kept = (needed, [member]), []
            for group in groups:
                if group[0] & needed:
                    merged = (merged[0] | group[0], [*group[1], *merged[1]])
                else:
                    kept.append(group)
            groups = [*kept, merged]
        for needed, together in groups:
            predicates.append(self._through(min(needed), conjunction(together)))
        return both(*predicates)

    def _needed(self, filter: Filter) -> set[Path]:
        if isinstance(filter, (All, AnyOf)):
            return set().union(*(self._needed(member) for member in filter.members))
        missing = self._missing(filter) if isinstance(filter, Condition) else None
        return {missing} if missing else set()

    def _place(self, path: Path) -> tuple[Place, Path]:
        """The nearest known row on a path, and the steps left from there."""
        for length in range(len(path), -1, -1):
            place = self.places.get(path[:length])
            if place is not None:
                return place, path[length:]
        raise LookupError(path)

    def _missing(self, condition: Condition) -> Path | None:
        """The next row that a condition needs and that no place is known for."""
        place, rest = self._place(condition.path)
        if len(rest) > 1 or (rest and "(" not in rest[0] and self._leads_on(place, rest[0])):
            return condition.path[: len(condition.path) - len(rest) + 1]
        if rest and rest[0].startswith("$FOLLOW"):
            return condition.path
        return None

    def _leads_on(self, place: Place, step: str) -> bool:
        return self.scope.permitted(place.collection, step) and self.scope.many(place.collection, step)

    def _through(self, path: Path, filter: Filter) -> Predicate | None:
        """Whether some row at the end of ``path`` meets the filter; a missing one counts as NULLs."""
        place, _ = self._place(path[:-1])
        hop, visible = step_to(self.scope, place.collection, place.row, path[-1], self.base + path[:-1])
        inner = replace(self, places={**self.places, path: Place(hop.collection, hop.row, hop.many)})
        # What a rule asks of related rows multiplies nothing.
        plain = not self.scope.stored
        found = Exists(hop.row, hop.link, both(visible, inner.compile(filter)), plain=plain)
        without = _without(filter, path, len(path) - hop.many)
        if without == NOTHING:
            return found
        return either(found, both(self._absent(place, path), self.compile(without)))

    def _absent(self, place: Place, path: Path) -> Predicate:
        hop, visible = step_to(self.scope, place.collection, place.row, path[-1], self.base + path[:-1])
        if hop.link.enforced and visible is None:
            return Compare("null", hop.link.pairs[0][0])
        return Exists(hop.row, hop.link, visible, negated=True)

    def _quantified(self, filter: Quantified) -> Predicate:
        place = self.places[()]
        step = filter.path[0]
        if len(filter.path) == 1 and not step.startswith("$FOLLOW"):
            self.scope.field(place.collection, step, self.base)
        if len(filter.path) != 1 or not self.scope.many(place.collection, step):
            raise InvalidQuery(f'"{filter.kind}" can only be used with top level relational alias field')
        hop, visible = step_to(self.scope, place.collection, place.row, step, self.base)
        inner = Conditions(self.scope, {(): Place(hop.collection, hop.row)}, (*self.base, step))
        return Exists(
            hop.row, hop.link, both(visible, inner.compile(filter.inner)), negated=filter.kind == "_none"
        )

    def _condition(self, condition: Condition) -> Predicate:
        place, rest = self._place(condition.path)
        if not rest and not place.many:
            # The foreign key itself, which may name a row that is not there, or not to be seen.
            place, rest = self._place(condition.path[:-1])[0], condition.path[-1:]
        collection, path = place.collection, self.base + condition.path[:-1]
        if not rest:
            key = collection.primary_key[0]
            field = self.scope.field(collection, key, self.base + condition.path)
            return comparison(self.scope, masked(self.scope, collection, place.row, field), field, condition)
        step = rest[0]
        if step.startswith("$FOLLOW"):
            raise InvalidQuery(f'Invalid "{step}"')
        call = function_call(step, collection)
        if call is not None:
            return self._function(place, call, condition, path)
        if ":" in step and step not in collection.item_fields:
            raise InvalidQuery(f'Field "{".".join(condition.path)}" needs a field of the collection')
        field = self.scope.field(collection, step, path)
        if field.alias:
            raise InvalidQuery(f'Field "{step}" in collection "{collection.name}" can\'t be filtered')
        return comparison(self.scope, masked(self.scope, collection, place.row, field), field, condition)

    def _function(self, place: Place, call: tuple[str, str], condition: Condition, path: Path) -> Predicate:
        from domain.query.calls import called

        expression: Expression = called(self.scope, place.collection, place.row, call, path, filtering=True)
        return function_comparison(self.scope, expression, call[0], condition)


def _without(filter: Filter, path: Path, above: int) -> Filter:
    """The filter when there is no row at the end of ``path``: conditions below it see NULLs.

    Paths up to the length ``above`` end in a row that is there, as a foreign key that names nothing does.
    """
    if isinstance(filter, All):
        members = [_without(member, path, above) for member in filter.members]
        return NOTHING if NOTHING in members else conjunction(members)
    if isinstance(filter, AnyOf):
        members = [
            member
            for member in (_without(member, path, above) for member in filter.members)
            if member != NOTHING
        ]
        return disjunction(members) if members else NOTHING
    if isinstance(filter, Condition) and len(filter.path) > above and filter.path[: len(path)] == path:
        return EVERYTHING if null_meets(filter.operator, filter.value) else NOTHING
    return filter


def settled(filter: Filter, caller: Caller) -> Filter:
    """The filter with null for what a caller without user or role has not got, which then means NULL."""
    if isinstance(filter, Condition):
        value = filter.value
        known = (
            tuple(_known(entry, caller) for entry in value)
            if isinstance(value, tuple)
            else _known(value, caller)
        )
        return filter if known == value else replace(filter, value=known)
    if isinstance(filter, Quantified):
        return replace(filter, inner=settled(filter.inner, caller))
    return replace(filter, members=tuple(settled(member, caller) for member in filter.members))


def _known(value: Any, caller: Caller) -> Any:
    found = variable(value) if isinstance(value, str) and value.startswith("$") else None
    missing = found is not None and not found[1] and is_missing(found[0], caller)
    return None if missing else value


def compile_filter(
    scope: Scope, filter: Filter | None, collection: Collection, row: Row, path: Path = ()
) -> Predicate | None:
    """The predicate of a filter on the rows of a collection; ``path`` leads there from the root."""
    if filter is None:
        return None
    known = settled(filter, scope.caller)
    predicate = Conditions(scope, {(): Place(collection, row)}, path).compile(known)
    return None if predicate == Truth(True) else predicate
