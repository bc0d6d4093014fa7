"""Filters as a tree: logical nodes above, conditions on paths at the leaves.

Logical operators inside a relation are lifted out (``{a: {_or: [x, y]}}`` is ``_or: [{a: x}, {a: y}]``), so a
condition always carries its whole path. ``_some`` and ``_none`` stay nodes, for what is under them has to
hold together. Rules worth knowing: an empty ``_and`` or ``_or`` matches everything, several keys of one
object are AND-ed, a bare value means ``_eq``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from domain.errors import InvalidQuery

MAX_NESTING = 100
MAX_SAFE_INTEGER = 2**53 - 1

LISTS = frozenset({"_in", "_nin", "_between", "_nbetween"})
SWITCHES = frozenset({"_null", "_nnull", "_empty", "_nempty"})
GEOMETRY = frozenset({"_intersects", "_nintersects", "_intersects_bbox", "_nintersects_bbox"})
TEXTS = frozenset(
    [
        "_contains",
        "_ncontains",
        "_icontains",
        "_starts_with",
        "_nstarts_with",
        "_istarts_with",
        "_nistarts_with",
        "_ends_with",
        "_nends_with",
        "_iends_with",
        "_niends_with",
    ]
)
SCALARS = frozenset({"_eq", "_neq", "_lt", "_lte", "_gt", "_gte"}) | TEXTS
OPERATORS = LISTS | SWITCHES | GEOMETRY | SCALARS


@dataclass(frozen=True, slots=True)
class All:
    """Every member holds; without members always true."""

    members: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some member holds."""

    members: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """An operator and its operand on the field at the end of a path."""

    path: tuple[str, ...]
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class Quantified:
    """Some or none of the rows at the end of a path meet a filter whose paths begin there."""

    path: tuple[str, ...]
    kind: Literal["_some", "_none"]
    inner: Filter


Filter = All | AnyOf | Condition | Quantified
EVERYTHING = All()


def parse_filter(raw: Any, *, depth: int = 10, trusted: bool = False) -> Filter:
    """A filter in wire form as a tree.

    ``trusted`` filters come from stored rules whose variables are already replaced: an empty list matches
    nothing there and an empty text is a value, where a request would be refused.

    Raises:
        InvalidQuery: naming the path to the fault.
    """
    return _Parser(depth, trusted).object(raw, (), 0)


def terms(node: Filter) -> int:
    """The number of a filter's conditions."""
    match node:
        case All(members) | AnyOf(members):
            return sum(map(terms, members))
        case Quantified(inner=inner):
            return 1 + terms(inner)
    return 1


def parse_json(text: str, parameter: str) -> Any:
    """JSON text of a parameter."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise InvalidQuery(f'Invalid JSON in "{parameter}"') from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def literal(value: Any) -> Any:
    """The texts ``true``, ``false``, ``null`` and ``NULL`` as the values they name."""
    if isinstance(value, str):
        return {"true": True, "false": False, "null": None, "NULL": None}.get(value, value)
    return value


def listed(value: Any) -> list[Any] | None:
    """A list in any of its notations: list, index-keyed object, ``a,b``; None if it is none."""
    if isinstance(value, str):
        return value.split(",")
    if isinstance(value, Mapping):
        return list(value.values()) if all(str(key).isdecimal() for key in value) else None
    if isinstance(value, Sequence):
        return list(value)
    return None if value is None else [value]


@dataclass(frozen=True, slots=True)
class _Parser:
    depth: int
    trusted: bool

    def object(self, raw: Any, path: tuple[str, ...], nesting: int) -> Filter:
        if nesting > MAX_NESTING:
            raise InvalidQuery("Filter is nested too deeply")
        if len(path) > self.depth:
            raise InvalidQuery(f'Max relational depth exceeded in filter "{".".join(path)}"')
        if isinstance(raw, (list, tuple)):
            # What the reference makes of a list: an object whose fields are its indices, which don't exist.
            raw = {str(index): entry for index, entry in enumerate(raw)}
        if not isinstance(raw, Mapping):
            raise InvalidQuery("Filter has to be an object")
        return conjunction([self.member(str(key), value, path, nesting) for key, value in raw.items()])

    def member(self, key: str, value: Any, path: tuple[str, ...], nesting: int) -> Filter:
        if key in ("_and", "_or"):
            return self.logical(key, value, path, nesting)
        if key in ("_some", "_none"):
            return self.quantified(key, value, path, nesting)
        if key in OPERATORS:
            if not path:
                raise InvalidQuery(f'Operator "{key}" needs a field')
            return self.condition(path, key, value)
        if key.startswith("_") and not isinstance(value, Mapping):
            raise InvalidQuery(f'Unknown filter operator "{key}"{_at(path)}')
        if isinstance(value, (Mapping, list, tuple)):
            return self.object(value, (*path, key), nesting + 1)
        if len(path) >= self.depth:
            raise InvalidQuery(f'Max relational depth exceeded in filter "{".".join((*path, key))}"')
        return self.condition((*path, key), "_eq", value)

    def logical(self, key: str, value: Any, path: tuple[str, ...], nesting: int) -> Filter:
        members = listed(value) if isinstance(value, (Mapping, list, tuple)) else None
        if members is None:
            raise InvalidQuery(f'"{key}"{_at(path)} has to be a list of filters')
        filters = [self.object(member, path, nesting + 1) for member in members]
        return conjunction(filters) if key == "_and" else disjunction(filters)

    def quantified(self, key: str, value: Any, path: tuple[str, ...], nesting: int) -> Filter:
        if not path:
            raise InvalidQuery(f'"{key}" needs a relation')
        inner = self.object(value, (), nesting + 1)
        kind: Literal["_some", "_none"] = "_some" if key == "_some" else "_none"
        return EVERYTHING if inner == EVERYTHING else Quantified(path, kind, inner)

    def condition(self, path: tuple[str, ...], operator: str, value: Any) -> Filter:
        value = literal(value)
        if operator in LISTS:
            values = listed(value)
            if not values and not self.trusted:
                raise InvalidQuery(f'"{operator}"{_at(path)} needs a non-empty list')
            entries = tuple(self.operand(path, operator, literal(entry)) for entry in _flat(values or ()))
            if operator in ("_between", "_nbetween") and len(entries) != 2:
                return EVERYTHING
            return Condition(path, operator, entries)
        if operator in SWITCHES:
            if value in ("", None):
                value = True
            if not isinstance(value, bool):
                raise InvalidQuery(f'"{operator}"{_at(path)} has to be a boolean')
            return Condition(path, operator, value)
        if operator in GEOMETRY:
            return Condition(path, operator, _geojson(path, operator, value))
        if value == "" and not self.trusted:
            raise InvalidQuery(f'"{operator}"{_at(path)} can\'t be empty')
        return Condition(path, operator, self.operand(path, operator, value))

    def operand(self, path: tuple[str, ...], operator: str, value: Any) -> Any:
        if isinstance(value, (Mapping, list, tuple)):
            if self.trusted and isinstance(value, (list, tuple)):
                return value
            raise InvalidQuery(f'"{operator}"{_at(path)} has to be a string, number or boolean')
        if isinstance(value, (int, float)) and not (math.isfinite(value) and abs(value) <= MAX_SAFE_INTEGER):
            raise InvalidQuery(f'"{operator}"{_at(path)} is not a safe number')
        if isinstance(value, str) and "\x00" in value:
            raise InvalidQuery(f'"{operator}"{_at(path)} holds a NUL character')
        return value


def conjunction(members: Sequence[Filter]) -> Filter:
    """All of them, flat; a single member is itself."""
    flat: list[Filter] = []
    for member in members:
        flat.extend(member.members if isinstance(member, All) else (member,))
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def disjunction(members: Sequence[Filter]) -> Filter:
    """Any of them, flat; everything when there is no member or one of them is always true."""
    flat: list[Filter] = []
    for member in members:
        flat.extend(member.members if isinstance(member, AnyOf) else (member,))
    if not flat or EVERYTHING in flat:
        return EVERYTHING
    return flat[0] if len(flat) == 1 else AnyOf(tuple(flat))


def _flat(values: Sequence[Any]) -> list[Any]:
    """Lists inside a list are what a stored rule's variable has become."""
    flat: list[Any] = []
    for value in values:
        flat.extend(value if isinstance(value, (list, tuple)) else (value,))
    return flat


def _geojson(path: tuple[str, ...], operator: str, value: Any) -> str:
    if isinstance(value, str):
        value = parse_json(value, "filter")
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        raise InvalidQuery(f'"{operator}"{_at(path)} has to be a GeoJSON object')
    return json.dumps(value)


def _at(path: tuple[str, ...]) -> str:
    return f' on "{".".join(path)}"' if path else ""
