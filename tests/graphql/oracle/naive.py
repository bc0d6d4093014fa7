"""The yardstick: a schema executed by graphql-core alone, a resolver for each field, over rows in memory.

Nothing here is shared with the compiler, the planner or SQL.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    execute_sync,
    parse,
)

from tests.graphql.oracle.worlds import KEY, Made, Row

Path = tuple[str, ...]
Combination = dict[Path, tuple[str, Row | None]]


@dataclass(frozen=True)
class Found:
    """A row on its way through graphql-core."""

    collection: str
    row: Row


class Missing(Exception):
    """There is no such item."""


class Naive:
    """Executes documents on the rows of a world."""

    def __init__(self, made: Made, sdl: str) -> None:
        self.made = made
        self.schema: GraphQLSchema = build_schema(sdl)
        for type_ in self.schema.type_map.values():
            if isinstance(type_, GraphQLUnionType):
                type_.resolve_type = lambda value, *_: value.collection

    def run(self, query: str, variables: dict[str, Any]) -> tuple[Any, list[list[str | int]]]:
        """The data, and the paths of errors."""
        result = execute_sync(
            self.schema, parse(query), variable_values=variables, field_resolver=self._resolve
        )
        for error in result.errors or ():
            if isinstance(error.original_error, Exception) and not isinstance(error.original_error, Missing):
                raise error.original_error
        return result.data, [list(error.path or ()) for error in result.errors or ()]

    def _resolve(self, source: Any, info: GraphQLResolveInfo, **given: Any) -> Any:
        name = info.field_name
        if source is None:
            return self._root(info.schema.query_type, name, given)
        if isinstance(source, Found):
            return self._member(source, name, given)
        if isinstance(source, Grouped):
            return source.member(name)
        value = source[name]
        return value() if callable(value) else value

    # -- roots

    def _root(self, query: GraphQLObjectType | None, name: str, given: dict[str, Any]) -> Any:
        if name.endswith("_by_id"):
            collection = name.removesuffix("_by_id")
            for row in self.made.rows[collection]:
                if str(row[KEY]) == given["id"]:
                    return Found(collection, row)
            raise Missing("no such item")
        if name.endswith("_aggregated"):
            return self._groups(name.removesuffix("_aggregated"), given)
        return self._list(name, self.made.rows[name], given)

    def _list(self, collection: str, rows: list[Row], given: Mapping[str, Any]) -> list[Found]:
        rows = [row for row in rows if self._chosen(collection, row, given)]
        for key in reversed(given.get("sort") or [KEY]):
            rows = self._sorted(collection, rows, key)
        limit, page = given.get("limit", 100), given.get("page") or 0
        start = given.get("offset") or 0
        if page and limit != -1:
            start = limit * (page - 1)
        rows = rows[start:] if limit == -1 else rows[start : start + limit]
        return [Found(collection, row) for row in rows]

    def _chosen(self, collection: str, row: Row, given: Mapping[str, Any]) -> bool:
        wanted = given.get("filter") or {}
        return self.meets(collection, row, wanted) and self._searched(collection, row, given.get("search"))

    def _searched(self, collection: str, row: Row, term: str | None) -> bool:
        if not term:
            return True
        for name, kind in self.made.kinds(collection).items():
            value = row[name]
            if value is None:
                continue
            if kind in ("string", "text") and term.lower() in value.lower():
                return True
            if kind in ("integer", "bigInteger") and term == str(value):
                return True
            if kind in ("float", "decimal") and term == f"{value:g}":
                return True
            if kind == "uuid" and term == value:
                return True
        return False

    def _sorted(self, collection: str, rows: list[Row], key: str) -> list[Row]:
        descending, path = key.startswith("-"), key.removeprefix("-")

        def place(row: Row) -> tuple[bool, Any]:
            value = self._sort_value(collection, row, path)
            return value is None, 0 if value is None else value

        # Stable in both directions, NULLs first when it goes down.
        return sorted(rows, key=place, reverse=descending)

    def _sort_value(self, collection: str, row: Row | None, path: str) -> Any:
        if row is None:
            return None
        head, _, rest = path.partition(".")
        if rest:
            linked = self.made.linked(collection, row, head)
            return self._sort_value(linked[0][0], linked[0][1], rest) if linked else None
        if head.endswith(")"):
            function, _, name = head[:-1].partition("(")
            return self._function(collection, row, name, function)
        return row[head]

    # -- members

    def _member(self, source: Found, name: str, given: Mapping[str, Any]) -> Any:
        made, collection, row = self.made, source.collection, source.row
        step = made.steps.get((collection, name))
        if step is None:
            if name not in row:
                field = name.removesuffix("_func")
                return _Functions(lambda function: self._function(collection, row, field, function))
            return _shown(made.kinds(collection)[name], row[name])
        linked = made.linked(collection, row, name)
        if step.many:
            return self._list(step.target, [other for _, other in linked], given)
        found = [one for one in linked if self._chosen(*one, given)]
        return Found(*found[0]) if found else None

    def _function(self, collection: str, row: Row | None, name: str, function: str) -> Any:
        if row is None:
            return None
        if function == "count":
            step = self.made.steps.get((collection, name))
            if step is not None:
                return len(self.made.linked(collection, row, name))
            return None if row[name] is None else len(row[name])
        return None if row[name] is None else _part(function, row[name])

    # -- filters

    def meets(self, collection: str, row: Row, wanted: Mapping[str, Any]) -> bool:
        """Whether some combination of one row for each relation path meets a filter, none as NULLs."""
        paths = sorted(set(self._paths(wanted, collection, ())), key=len)
        return any(
            self._holds(wanted, combination, ()) for combination in self._combinations(collection, row, paths)
        )

    def _step(self, collection: str, name: str) -> tuple[str, str] | None:
        """The relation behind a member of a filter, and the collection it leads to."""
        step = self.made.steps.get((collection, name))
        if step is not None:
            return name, step.target
        head, _, target = name.partition("__")
        return (head, target) if target and (collection, head) in self.made.steps else None

    def _paths(self, wanted: Mapping[str, Any], collection: str, path: Path) -> Iterator[Path]:
        for name, value in wanted.items():
            if name in ("_and", "_or"):
                for member in value:
                    yield from self._paths(member, collection, path)
                continue
            step = self._step(collection, name)
            if step is not None and not {"_some", "_none"} & set(value):
                yield (*path, name)
                yield from self._paths(value, step[1], (*path, name))

    def _combinations(self, collection: str, row: Row, paths: list[Path]) -> Iterator[Combination]:
        combinations: list[Combination] = [{(): (collection, row)}]
        for path in paths:
            grown: list[Combination] = []
            for combination in combinations:
                owner, parent = combination[path[:-1]]
                step = self._step(owner, path[-1])
                assert step is not None
                others: list[Row | None] = [*self._along(owner, parent, *step)] or [None]
                grown.extend({**combination, path: (step[1], other)} for other in others)
            combinations = grown
        yield from combinations

    def _along(self, owner: str, row: Row | None, name: str, target: str) -> list[Row]:
        return [other for found, other in self.made.linked(owner, row, name) if found == target]

    def _holds(self, wanted: Mapping[str, Any], combination: Combination, path: Path) -> bool:
        return all(self._condition(name, value, combination, path) for name, value in wanted.items())

    def _condition(self, name: str, value: Any, combination: Combination, path: Path) -> bool:
        collection, row = combination[path]
        if name == "_and":
            return all(self._holds(member, combination, path) for member in value)
        if name == "_or":
            return any(self._holds(member, combination, path) for member in value)
        step = self._step(collection, name)
        if step is not None:
            [(kind, inner), *_] = value.items()
            if kind not in ("_some", "_none"):
                return self._holds(value, combination, (*path, name))
            others = self._along(collection, row, *step)
            return any(self.meets(step[1], other, inner) for other in others) is (kind == "_some")
        if name.endswith("_func"):
            field = name.removesuffix("_func")
            return all(
                _compared(self._function(collection, row, field, function), operator, operand)
                for function, operators in value.items()
                for operator, operand in operators.items()
            )
        return all(
            _compared(None if row is None else row[name], operator, operand)
            for operator, operand in value.items()
        )

    # -- groups

    def _groups(self, collection: str, given: Mapping[str, Any]) -> list[Grouped]:
        rows = [row for row in self.made.rows[collection] if self._chosen(collection, row, given)]
        names = given.get("groupBy") or []
        if not names:
            return [Grouped(rows, None)]
        found: dict[str, Grouped] = {}
        for row in rows:
            group = {}
            for name in names:
                if not name.endswith(")"):
                    kind = self.made.kinds(collection)[name]
                    group[name] = _shown(kind, row[name]) if kind != "decimal" else row[name]
                    continue
                function, _, field = name[:-1].partition("(")
                value = _group_text(function, row[field])
                group[f"{field}_{function}"] = value
            found.setdefault(repr(group), Grouped([], group)).rows.append(row)
        return list(found.values())


class _Functions:
    """The object of a field's functions."""

    def __init__(self, call: Callable[[str], Any]) -> None:
        self._call = call

    def __getitem__(self, name: str) -> Any:
        return self._call(name)


@dataclass
class Grouped:
    """One row of an aggregate."""

    rows: list[Row]
    group: dict[str, Any] | None

    def member(self, name: str) -> Any:
        """One member of it."""
        if name == "group":
            return self.group
        if name == "countAll":
            return len(self.rows)
        return _Functions(lambda column: self._aggregate(name, column))

    def _aggregate(self, function: str, column: str) -> float | None:
        values = [row[column] for row in self.rows if row[column] is not None]
        if function.endswith("Distinct"):
            values = list({repr(value): value for value in values}.values())
        kind = function.removesuffix("Distinct")
        if kind == "count":
            return len(values)
        if not values:
            return None
        total = math.fsum(values)
        results = {"sum": total, "avg": total / len(values), "min": min(values), "max": max(values)}
        return float(results[kind])


def _shown(kind: str, value: Any) -> Any:
    return str(value) if kind == "bigInteger" and value is not None else value


def _group_text(function: str, value: str | None) -> str | None:
    """A part of a moment as groups have it; seconds with their fractions."""
    if value is None:
        return None
    fraction = value.removesuffix("Z").partition(".")[2]
    text = str(_part(function, value))
    return f"{text}.{fraction:0<6}" if function == "second" else text


def _part(function: str, value: str) -> int:
    text = value.removesuffix("Z")
    if "-" not in text:
        text = f"2000-01-01T{text}"
    moment = datetime.datetime.fromisoformat(text)
    if function == "week":
        return moment.isocalendar().week
    if function == "weekday":
        return moment.isoweekday() % 7
    return int(getattr(moment, function))


_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda value, operand: operand in value,
    "starts_with": lambda value, operand: value.startswith(operand),
    "ends_with": lambda value, operand: value.endswith(operand),
}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "_eq": lambda value, operand: value == operand,
    "_neq": lambda value, operand: value != operand,
    "_lt": lambda value, operand: value < operand,
    "_lte": lambda value, operand: value <= operand,
    "_gt": lambda value, operand: value > operand,
    "_gte": lambda value, operand: value >= operand,
}


def _compared(value: Any, operator: str, operand: Any) -> bool:
    if operator in ("_null", "_nnull", "_empty", "_nempty"):
        missing = value is None or (value == "" and "empty" in operator)
        return missing is (operand == (operator in ("_null", "_empty")))
    if value is None:
        return False
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        operand = [_number(one) for one in operand] if isinstance(operand, list) else _number(operand)
    if operator in ("_in", "_nin"):
        return (value in operand) is (operator == "_in")
    if operator in ("_between", "_nbetween"):
        return (operand[0] <= value <= operand[1]) is (operator == "_between")
    if operator in _ORDER:
        return _ORDER[operator](value, operand)
    kind = operator.removeprefix("_")
    for name, holds in _TEXT.items():
        if kind in (name, f"n{name}"):
            return holds(value, operand) is (kind == name)
        if kind in (f"i{name}", f"ni{name}"):
            return holds(value.lower(), operand.lower()) is (kind == f"i{name}")
    raise AssertionError(operator)


def _number(value: Any) -> Any:
    if isinstance(value, str):
        return float(value) if "." in value else int(value)
    return value
