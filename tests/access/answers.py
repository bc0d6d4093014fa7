"""What the naive evaluation answers to a query: lists with nested levels, groups, counts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.access.naive import Refused, Sight
from tests.access.world import COLUMNS, STEPS, Row

Levels = Mapping[str, Mapping[str, Any]]


@dataclass
class Asked:
    """One member of a level: the field itself, or paths below it (per step: m2o, o2m, one branch of m2a)."""

    name: str
    plain: bool = False
    counted: bool = False
    below: dict[str, list[str]] = field(default_factory=dict)


def canonical(value: Any) -> Any:
    """Arrays of related items in one order, whatever order they came in."""
    if isinstance(value, dict):
        return {name: _sorted(entry) for name, entry in value.items()}
    return value


def _sorted(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(entry, (dict, int)) for entry in value):
        return sorted((canonical(entry) for entry in value), key=text)
    return canonical(value)


def text(value: Any) -> str:
    """A value as JSON, for comparison."""
    return json.dumps(value, sort_keys=True)


@dataclass
class Answers:
    """The answers that one caller should get."""

    sight: Sight

    # -- what a level asks for

    def asked(self, collection: str, paths: Sequence[str]) -> dict[str, Asked]:
        """The members of a level. Raises Refused."""
        found: dict[str, Asked] = {}
        for path in paths:
            head, _, rest = path.partition(".")
            if head == "*":
                for name in self._wildcard(collection):
                    found.setdefault(name, Asked(name)).plain = True
                continue
            counted = head.startswith("count(")
            name = head[6:-1] if counted else head.partition(":")[0]
            if not self.sight.permitted(collection, name):
                raise Refused(f"{collection}.{name}")
            if counted:
                self.sight.step(collection, name)
                found[f"{name}_count"] = Asked(name, counted=True)
            elif not rest:
                found.setdefault(name, Asked(name)).plain = True
            elif ":" in head or self.sight.may(STEPS[collection, head].target):
                found.setdefault(name, Asked(name)).below.setdefault(head, []).append(rest)
        return found

    def _wildcard(self, collection: str) -> list[str]:
        aliases = [
            name
            for (owner, name), step in STEPS.items()
            if owner == collection and step.many and self.sight.may(step.target)
        ]
        return [
            name for name in (*self.columns(collection), *aliases) if self.sight.permitted(collection, name)
        ]

    def columns(self, collection: str) -> list[str]:
        """All columns, also those that the random queries leave alone."""
        rows = self.sight.data[collection]
        return list(rows[0]) if rows else list(COLUMNS[collection])

    # -- lists

    def rows(self, collection: str, query: Mapping[str, Any], keys: Sequence[Any] | None = None) -> list[Any]:
        """Pairs of sort key and item."""
        paths = query.get("fields", ["*"])
        asked = self.asked(collection, paths)
        deep = query.get("deep", {})
        self._check(collection, query, asked, deep)
        if keys is not None and not self.sight.permitted(collection, "id"):
            raise Refused(f"{collection}.id")
        names = {entry.name for entry in asked.values()}
        sort = query.get("sort", [None])[0]
        return [
            (
                None if sort is None else self.sorted_by(collection, row, sort),
                canonical(self.item(collection, row, asked, deep)),
            )
            for row in self.sight.data[collection]
            if self.sight.visible(collection, row, names)
            and (keys is None or row["id"] in keys)
            and self._matches(collection, row, query)
        ]

    def _matches(self, collection: str, row: Row, query: Mapping[str, Any]) -> bool:
        term = query.get("search")
        return self.sight.meets(collection, row, query.get("filter", {})) and (
            term is None or self._found(collection, row, term)
        )

    def _found(self, collection: str, row: Row, term: str) -> bool:
        return any(
            self.sight.shows(collection, row, name)
            and (term in value if isinstance(value, str) else value == int(term) if term.isdigit() else False)
            for name, value in row.items()
            if isinstance(value, (str, int)) and not _uuid(value) and "timestamp" not in name
        )

    def _check(
        self, collection: str, query: Mapping[str, Any], asked: dict[str, Asked], deep: Levels
    ) -> None:
        self.sight.check(collection, query.get("filter", {}))
        for entry in query.get("sort", []):
            self._check_sort(collection, entry.removeprefix("-"))
        self._check_levels(collection, asked, deep)

    def _check_levels(self, collection: str, asked: dict[str, Asked], deep: Levels) -> None:
        for entry in asked.values():
            alias = STEPS.get((collection, entry.name))
            below = dict(entry.below)
            if entry.counted:
                continue
            if alias is not None and alias.many and self.sight.may(alias.target):
                below.setdefault(entry.name, [])
                self.sight.check(alias.target, deep.get(entry.name, {}).get("_filter", {}))
            for step, paths in below.items():
                target = STEPS[collection, step].target
                if self.sight.may(target):
                    self._check_levels(target, self.asked(target, paths), {})

    def _check_sort(self, collection: str, path: str) -> None:
        head, _, rest = path.partition(".")
        if not self.sight.permitted(collection, head):
            raise Refused(f"{collection}.{head}")
        if rest:
            self._check_sort(self.sight.step(collection, head).target, rest)

    def sorted_by(self, collection: str, row: Row | None, key: str) -> Any:
        """What a row sorts by, so that Python's order is PostgreSQL's: NULLs are greater than everything."""
        descending, path = key.startswith("-"), key.removeprefix("-")
        value = self._sort_value(collection, row, path, descending)
        return (value is None, value if value is not None else 0), descending

    def _sort_value(self, collection: str, row: Row | None, path: str, descending: bool) -> Any:
        head, _, rest = path.partition(".")
        if not rest:
            return self.sight.value(collection, row, head)
        step = STEPS[collection, head]
        values = [
            self._sort_value(step.target, other, rest, descending)
            for other in self.sight.related(collection, row, head)
        ]
        if not values:
            return None
        ranked = sorted(values, key=lambda value: (value is None, value if value is not None else 0))
        return ranked[-1 if descending else 0]

    # -- items

    def item(self, collection: str, row: Row, asked: Mapping[str, Asked], deep: Levels) -> Any:
        """One item as a level asks for it; its bare key when nothing is left of the level."""
        found = {}
        for name, entry in asked.items():
            known, value = self._member(collection, row, entry, deep.get(entry.name, {}))
            if known:
                found[name] = value
        return found if found else row["id"]

    def _member(self, collection: str, row: Row, entry: Asked, deep: Mapping[str, Any]) -> tuple[bool, Any]:
        sight = self.sight
        step = STEPS.get((collection, entry.name))
        shown = sight.shows(collection, row, entry.name)
        if entry.counted:
            return True, str(len(sight.related(collection, row, entry.name))) if shown else None
        if step is not None and step.many:
            if not sight.may(step.target):
                return False, None
            below = self.asked(step.target, entry.below.get(entry.name, []))
            return True, self._many(collection, row, entry.name, below, deep) if shown else None
        return True, self._single(collection, row, entry) if shown else None

    def _single(self, collection: str, row: Row, entry: Asked) -> Any:
        """A member that is no array: the column, or the one item it leads to."""
        if not entry.below:
            return row[entry.name]
        if (collection, entry.name) in STEPS:
            return self._one(collection, row, entry.name, entry.below[entry.name])
        branch = f"{entry.name}:{row['kind']}"
        if branch not in entry.below:
            return row[entry.name]
        may = self.sight.may(STEPS[collection, branch].target)
        return self._one(collection, row, branch, entry.below[branch]) if may else None

    def _visible(self, collection: str, row: Row, step: str, below: Mapping[str, Asked]) -> list[Row]:
        names = {entry.name for entry in below.values()}
        target = STEPS[collection, step].target
        return [
            other
            for other in self.sight.linked(collection, row, step)
            if self.sight.visible(target, other, names)
        ]

    def _many(
        self, collection: str, row: Row, name: str, below: Mapping[str, Asked], deep: Mapping[str, Any]
    ) -> list[Any]:
        target = STEPS[collection, name].target
        return [
            self.item(target, other, below, {})
            for other in self._visible(collection, row, name, below)
            if self.sight.meets(target, other, deep.get("_filter", {}))
        ]

    def _one(self, collection: str, row: Row, step: str, paths: Sequence[str]) -> Any:
        target = STEPS[collection, step].target
        below = self.asked(target, paths)
        found = self._visible(collection, row, step, below)
        return self.item(target, found[0], below, {}) if found else None

    # -- counts and groups

    def counts(self, collection: str, query: Mapping[str, Any]) -> dict[str, int]:
        """The ``meta`` of a list."""
        rows = self.sight.rows(collection)
        return {
            "total_count": len(rows),
            "filter_count": sum(self._matches(collection, row, query) for row in rows),
        }

    def groups(
        self, collection: str, query: Mapping[str, Any], function: str, name: str, group: str | None
    ) -> dict[Any, Any]:
        """By the group's value, what the aggregate makes of its rows."""
        for used in (group, None if name == "*" else name):
            if used is not None and not self.sight.permitted(collection, used):
                raise Refused(f"{collection}.{used}")
        self.sight.check(collection, query.get("filter", {}))
        found: dict[Any, list[Any]] = {} if group else {None: []}
        for row in self.sight.data[collection]:
            if self.sight.visible(collection, row, [group] if group else ()) and self._matches(
                collection, row, query
            ):
                place = self.sight.value(collection, row, group) if group else None
                value = 1 if name == "*" else self.sight.value(collection, row, name)
                found.setdefault(place, []).append(value)
        return {place: aggregated(function, values) for place, values in found.items()}


def aggregated(function: str, values: Sequence[Any]) -> float | None:
    """An aggregate of values; NULLs do not count."""
    given = [value for value in values if value is not None]
    if function == "count":
        return len(given)
    if function == "countDistinct":
        return len(set(given))
    if not given:
        return None
    results = {"sum": sum(given), "avg": sum(given) / len(given), "min": min(given), "max": max(given)}
    return float(results[function])


def _uuid(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 36
