"""Rights inside a plan: which rows a caller sees, and in which of them a field.

All read rules of a collection are alternatives. The rules that take part at a level are those that grant a
field requested there; rows have to meet any of them, and a field shows where a rule that grants it is met.
Filters, sorting and aggregates see exactly what the caller would see: a hidden value counts as NULL, a hidden
row as none. (The reference compares real values there, which tells a patient caller everything.)
"""

from __future__ import annotations

from collections.abc import Collection as Names
from dataclasses import replace

from domain.model import Collection, Field
from domain.query.alternatives import united
from domain.query.plan import Expression, Masked, Predicate, Row, Truth, both
from domain.query.scope import Hop, Path, ReadRule, Scope


def participating(scope: Scope, collection: Collection, names: Names[str] = ()) -> tuple[ReadRule, ...]:
    """The rules that speak of any of these fields; all of them when no field is named."""
    rules = scope.rules(collection)
    return tuple(
        rule for rule in rules if not names or rule.fields is None or not rule.fields.isdisjoint(names)
    )


def row_rule(scope: Scope, collection: Collection, row: Row, names: Names[str] = ()) -> Predicate | None:
    """The condition that rows have to meet, None for every row."""
    if scope.rights.admin:
        return None
    return _any(scope, participating(scope, collection, names), collection, row)


def mask(
    scope: Scope, collection: Collection, row: Row, name: str, names: Names[str] = ()
) -> Predicate | None:
    """The condition under which a field shows in the rows that ``row_rule`` lets through."""
    if scope.rights.admin:
        return None
    rules = participating(scope, collection, names)
    granting = tuple(rule for rule in rules if rule.covers(name))
    return None if granting == rules else _any(scope, granting, collection, row)


def masked(
    scope: Scope, collection: Collection, row: Row, field: Field, names: Names[str] = ()
) -> Expression:
    """A column as the caller sees it."""
    expression = scope.ref(row, collection, field.name)
    visible = mask(scope, collection, row, field.name, names)
    return expression if visible is None else Masked(expression, visible)


def step_to(
    scope: Scope, collection: Collection, row: Row, step: str, path: Path
) -> tuple[Hop, Predicate | None]:
    """A step of a filter or sort path, and what the rows it leads to have to meet to be seen.

    Where the relation's own field is hidden in a row, nothing is related to it.
    """
    hop = scope.hop(collection, row, step, path)
    visible = row_rule(scope, hop.collection, hop.row)
    if scope.rights.admin:
        return hop, visible
    for name in hop.naming:
        visible = both(visible, mask(scope, hop.collection, hop.row, name))
    shown = None if hop.naming else mask(scope, collection, row, step.partition(":")[0])
    if shown is not None:
        hop = replace(hop, link=replace(hop.link, when=both(hop.link.when, shown), enforced=False))
    return hop, visible


def _any(scope: Scope, rules: tuple[ReadRule, ...], collection: Collection, row: Row) -> Predicate | None:
    from domain.query.conditions import compile_filter

    if not rules:
        return Truth(False)
    memory = scope.rights.memory
    place = (collection.name, *map(id, rules))
    if place not in memory:
        memory[place] = united([rule.filter for rule in rules])
    return compile_filter(scope.trusted(), memory[place], collection, row)
