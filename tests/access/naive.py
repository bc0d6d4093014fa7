"""What a caller may see, evaluated row by row in plain Python: the yardstick of the access oracle.

Nothing here is shared with the planner. A `Sight` is what one caller sees of the data; without rules it is
that of an administrator, under which rules themselves are evaluated.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.access.world import STEPS, Data, Row, Step

Path = tuple[str, ...]
Combination = dict[Path, tuple[str, Row | None]]


class Refused(Exception):
    """The caller names something that he may not."""


@dataclass(frozen=True)
class Grant:
    """One rule for reading, or writing, a collection; ``fields`` None for all."""

    fields: frozenset[str] | None
    filter: Mapping[str, Any]

    def covers(self, name: str) -> bool:
        return self.fields is None or name in self.fields


@dataclass
class Sight:
    """What one caller sees. ``grants`` None: everything. ``variables`` are the values behind ``$NAME``."""

    data: Data
    grants: Mapping[tuple[str, str], list[Grant]] | None
    variables: Mapping[str, Any] = field(default_factory=dict)
    _met: dict[tuple[int, str, Any], bool] = field(default_factory=dict)

    # -- rules

    def of(self, collection: str, action: str = "read") -> list[Grant]:
        assert self.grants is not None
        return self.grants.get((collection, action), [])

    def may(self, collection: str, action: str = "read") -> bool:
        return self.grants is None or bool(self.of(collection, action))

    def permitted(self, collection: str, name: str, action: str = "read") -> bool:
        return self.grants is None or any(grant.covers(name) for grant in self.of(collection, action))

    def met(self, collection: str, grant: Grant, row: Row) -> bool:
        """Whether a row meets a rule; rules see everything."""
        place = (id(grant), collection, row["id"])
        if place not in self._met:
            whole = Sight(self.data, None, self.variables)
            self._met[place] = whole.meets(collection, row, grant.filter)
        return self._met[place]

    def visible(self, collection: str, row: Row, names: Iterable[str] = ()) -> bool:
        """Whether the row is there at all for a request that names these fields."""
        if self.grants is None:
            return True
        asked = set(names)
        return any(
            self.met(collection, grant, row)
            for grant in self.of(collection)
            if not asked or any(grant.covers(name) for name in asked)
        )

    def shows(self, collection: str, row: Row, name: str) -> bool:
        """Whether a field of a row shows."""
        if self.grants is None:
            return True
        return any(self.met(collection, grant, row) for grant in self.of(collection) if grant.covers(name))

    def value(self, collection: str, row: Row | None, name: str) -> Any:
        """A column as the caller sees it."""
        return row[name] if row is not None and self.shows(collection, row, name) else None

    def rows(self, collection: str) -> list[Row]:
        return [row for row in self.data[collection] if self.visible(collection, row)]

    # -- relations

    def step(self, collection: str, name: str) -> Step:
        """A relation that the caller may go along."""
        step = STEPS[collection, name]
        if not self.permitted(collection, name.partition(":")[0]) or not self.may(step.target):
            raise Refused(f"{collection}.{name}")
        return step

    def linked(self, collection: str, row: Row | None, name: str) -> list[Row]:
        """The rows a relation leads to, whether visible or not."""
        step = STEPS[collection, name]
        if row is None or row[step.here] is None or (step.kind and row[step.kind] != step.target):
            return []
        return [row_ for row_ in self.data[step.target] if str(row_[step.there]) == str(row[step.here])]

    def related(self, collection: str, row: Row | None, name: str) -> list[Row]:
        """The rows that the caller sees along a relation: none where the relation itself is hidden."""
        step = STEPS[collection, name]
        if row is None or not self.shows(collection, row, name.partition(":")[0]):
            return []
        return [found for found in self.linked(collection, row, name) if self.visible(step.target, found)]

    # -- filters

    def meets(self, collection: str, row: Row, filter: Mapping[str, Any]) -> bool:
        """Whether some combination of one row per relation path meets the filter, a missing one as NULLs."""
        paths = sorted(set(_paths(filter, collection, ())), key=len)
        return any(
            self._holds(filter, combination, collection, ())
            for combination in self._joined(collection, row, paths)
        )

    def check(self, collection: str, filter: Mapping[str, Any]) -> None:
        """Refuse a filter that names what the caller may not."""
        for name, value in filter.items():
            if name in ("_and", "_or"):
                for member in value:
                    self.check(collection, member)
                continue
            if (collection, name) not in STEPS:
                if not self.permitted(collection, name.removeprefix("count(").removesuffix(")")):
                    raise Refused(f"{collection}.{name}")
                if name.startswith("count("):
                    self.step(collection, name[6:-1])
                continue
            inner = next((value[key] for key in ("_some", "_none") if key in value), None)
            below = _below(value) if inner is None else inner
            step = STEPS[collection, name]
            if not self.permitted(collection, name.partition(":")[0]):
                raise Refused(f"{collection}.{name}")
            if below or step.many:
                self.check(self.step(collection, name).target, below)
            if (
                step.many
                and inner is None
                and len(below) < len(value)
                and not self.permitted(step.target, "id")
            ):
                raise Refused(f"{step.target}.id")

    def _joined(self, collection: str, row: Row, paths: list[Path]) -> Iterator[Combination]:
        combinations: list[Combination] = [{(): (collection, row)}]
        for path in paths:
            grown: list[Combination] = []
            for combination in combinations:
                owner, parent = combination[path[:-1]]
                others: list[Row | None] = [*self.related(owner, parent, path[-1])] or [None]
                target = STEPS[owner, path[-1]].target
                grown.extend({**combination, path: (target, other)} for other in others)
            combinations = grown
        yield from combinations

    def _holds(
        self, filter: Mapping[str, Any], combination: Combination, collection: str, path: Path
    ) -> bool:
        return all(self._member(name, value, combination, collection, path) for name, value in filter.items())

    def _member(self, name: str, value: Any, combination: Combination, collection: str, path: Path) -> bool:
        row = combination[path][1]
        if name == "_and":
            return all(self._holds(member, combination, collection, path) for member in value)
        if name == "_or":
            return any(self._holds(member, combination, collection, path) for member in value) or not value
        if name.startswith("count("):
            return self._compare(self.count(collection, row, name[6:-1]), value)
        if "_some" in value or "_none" in value:
            (kind, inner), target = next(iter(value.items())), STEPS[collection, name].target
            some = any(self.meets(target, other, inner) for other in self.related(collection, row, name))
            return some if kind == "_some" else not some
        if (*path, name) in combination:
            step, below = STEPS[collection, name], _below(value)
            own = {key: entry for key, entry in value.items() if key not in below}
            other = combination[*path, name][1]
            compared = (
                self.value(step.target, other, "id")
                if step.many
                else self.value(collection, row, name.partition(":")[0])
            )
            return self._holds(below, combination, step.target, (*path, name)) and self._compare(
                compared, own
            )
        return self._compare(self.value(collection, row, name), value)

    def count(self, collection: str, row: Row | None, name: str) -> int | None:
        """How many related rows the caller sees; nothing where the relation is hidden."""
        if row is None:
            return None
        return len(self.related(collection, row, name)) if self.shows(collection, row, name) else None

    def _compare(self, value: Any, given: Mapping[str, Any]) -> bool:
        return all(_compared(value, key, self._operand(key, entry)) for key, entry in given.items())

    def _operand(self, key: str, value: Any) -> Any:
        if key in ("_in", "_nin"):
            entries = value if isinstance(value, list) else [value]
            flat: list[Any] = []
            for entry in entries:
                found = self._variable(entry)
                flat.extend(found if isinstance(found, list) else [found])
            return flat
        return self._variable(value)

    def _variable(self, value: Any) -> Any:
        return self.variables[value] if isinstance(value, str) and value.startswith("$") else value


def _below(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entry for key, entry in value.items() if not key.startswith("_") or key in ("_and", "_or")}


def _paths(filter: Mapping[str, Any], collection: str, path: Path) -> Iterator[Path]:
    """The relation paths of a filter, quantifiers aside."""
    for name, value in filter.items():
        if name in ("_and", "_or"):
            for member in value:
                yield from _paths(member, collection, path)
        elif (collection, name) in STEPS and not ({"_some", "_none"} & set(value)):
            below, step = _below(value), STEPS[collection, name]
            if below or step.many:
                yield (*path, name)
                yield from _paths(below, step.target, (*path, name))


_ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "_eq": operator.eq,
    "_neq": operator.ne,
    "_lt": operator.lt,
    "_gte": operator.ge,
}


def _compared(value: Any, key: str, operand: Any) -> bool:
    if key in ("_null", "_nnull", "_empty", "_nempty"):
        missing = value is None or (value == "" and "empty" in key)
        return missing is (operand == (key in ("_null", "_empty")))
    if operand is None:
        return (value is None) is (key == "_eq")
    if value is None:
        return False
    if key in ("_in", "_nin"):
        # NULL in a list makes NOT IN unknown.
        return value in operand if key == "_in" else None not in operand and value not in operand
    if key in ("_between", "_nbetween"):
        return (operand[0] <= value <= operand[1]) is (key == "_between")
    if key in ("_contains", "_icontains"):
        return str(operand) in value
    return _ORDERED[key](value, operand)
