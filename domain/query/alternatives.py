"""Rules that are alternatives of each other, made into one filter that says the same with less.

Policies repeat each other: one lets through what is published, another what is published and by a certain
author. The narrower one adds nothing (absorption), and rules that differ in one value are one rule with a
list of values. Both hold in SQL's three-valued logic and for conditions along relations alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.query.filters import EVERYTHING, All, AnyOf, Condition, Filter, conjunction, disjunction

_Conjuncts = dict[Filter, None]
"""Filters that hold together, in their order."""


def united(filters: Sequence[Filter | None]) -> Filter | None:
    """One filter for rows that meet any of these; None for all rows."""
    if any(entry is None or entry == EVERYTHING for entry in filters):
        return None
    found: list[_Conjuncts] = []
    for entry in filters:
        for member in entry.members if isinstance(entry, AnyOf) else (entry,):
            assert member is not None
            found.append(dict.fromkeys(member.members if isinstance(member, All) else (member,)))
    kept = _absorbed(found)
    while (merged := _merged(kept)) is not None:
        kept = _absorbed(merged)
    if not kept:
        return AnyOf(())
    filter = disjunction([conjunction(list(entry)) for entry in kept])
    return None if filter == EVERYTHING else filter


def _absorbed(alternatives: Sequence[_Conjuncts]) -> list[_Conjuncts]:
    """Without those that demand all that another one does, and more."""
    kept: list[_Conjuncts] = []
    for entry in sorted(alternatives, key=len):
        if not any(other.keys() <= entry.keys() for other in kept):
            kept.append(entry)
    return kept


def _merged(alternatives: Sequence[_Conjuncts]) -> list[_Conjuncts] | None:
    """With two or more that differ in one compared value as one; None when there are no such."""
    groups: dict[tuple[tuple[str, ...], frozenset[Filter]], list[tuple[int, Condition]]] = {}
    for number, entry in enumerate(alternatives):
        for member in entry:
            if isinstance(member, Condition) and _listable(member):
                rest = frozenset(entry.keys() - {member})
                groups.setdefault((member.path, rest), []).append((number, member))
    for (path, _), members in groups.items():
        numbers = [number for number, _ in members]
        if len(numbers) < 2:
            continue
        values = dict.fromkeys(value for _, member in members for value in _values(member))
        one = Condition(path, "_in", tuple(values))
        first = {one if entry is members[0][1] else entry: None for entry in alternatives[numbers[0]]}
        others = [entry for number, entry in enumerate(alternatives) if number not in numbers]
        return [first, *others]
    return None


def _listable(condition: Condition) -> bool:
    if condition.operator not in ("_eq", "_in"):
        return False
    return all(_plain(value) for value in _values(condition))


def _plain(value: Any) -> bool:
    # Variables may be null or lists, and True is a 1 to Python.
    if isinstance(value, str):
        return not value.startswith("$")
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _values(condition: Condition) -> tuple[Any, ...]:
    value = condition.value
    return value if isinstance(value, tuple) else (value,)
