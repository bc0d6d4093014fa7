"""``aggregate`` and ``groupBy``: rows of groups instead of items."""

from __future__ import annotations

from dataclasses import replace

from domain.errors import InvalidQuery
from domain.model import Collection, Field
from domain.query.calls import called, function_field, function_key
from domain.query.fields import NUMERIC, output_format
from domain.query.ordering import Ordering, value_at
from domain.query.parse import split_path
from domain.query.plan import (
    Aggregate,
    Both,
    Constant,
    Exists,
    Expression,
    Groups,
    Join,
    Node,
    Order,
    Predicate,
    Record,
    Row,
    Scalar,
    both,
)
from domain.query.query import GroupMember, Query, Sort
from domain.query.scope import Path, Scope, function_call
from domain.query.visibility import masked

_NUMBERS = NUMERIC | {"bigInteger"}
_NUMERIC_ONLY = frozenset({"sum", "sumDistinct", "avg", "avgDistinct"})
_UNORDERED = frozenset({"json", "boolean", "csv", "alias", "binary", "uuid"})


def plan_groups(scope: Scope, collection: Collection, row: Row, query: Query) -> Groups:
    """The keys and values of the groups that a query asks for."""
    keys = tuple(_key(scope, collection, row, entry) for entry in query.group or ())
    values = []
    for function, names in query.aggregate:
        if function == "countAll":
            continue
        fields = tuple((name, _value(scope, collection, row, function, name)) for name in names)
        values.append((function, fields))
    found = Groups(keys, tuple(values))
    return found if query.grouped is None else replace(found, members=_members(found, query.grouped))


def _members(groups: Groups, asked: tuple[GroupMember, ...]) -> tuple[tuple[str, Node], ...]:
    """What the answer holds of groups when a request names each member."""
    values = dict(groups.values)
    members: list[tuple[str, Node]] = []
    for member in asked:
        node: Node
        if not member.function:
            node = Constant(member.text)
        elif member.function == "group":
            node = Record(groups.keys) if groups.keys else Constant(None)
        elif member.function == "countAll":
            node = Scalar(Aggregate("count", None))
        else:
            found = dict(values.get(member.function, ()))
            named: list[tuple[str, Node]] = [(output, Constant(text)) for output, text in member.names]
            numbers = [(output, replace(found[name], format="number")) for output, name in member.fields]
            node = Record((*named, *numbers))
        members.append((member.output, node))
    return tuple(members)


def _key(scope: Scope, collection: Collection, row: Row, entry: str) -> tuple[str, Scalar]:
    """One group key: a field or function, also through relations to one (an extension)."""
    path = split_path(entry)
    collection_at, step = _end(scope, collection, path)
    call = function_call(step)
    if len(path) == 1:
        if call is not None:
            return function_key(call), Scalar(
                called(scope, collection, row, call, ()), _call_format(call, collection)
            )
        found = _column(scope, collection, step, ())
        return entry, Scalar(masked(scope, collection, row, found), output_format(found))
    expression = value_at(scope, collection, row, path, ())
    if call is not None:
        return ".".join((*path[:-1], function_key(call))), Scalar(expression, "text")
    found = _column(scope, collection_at, step, path[:-1])
    return entry, Scalar(expression, output_format(found))


def _call_format(call: tuple[str, str], collection: Collection) -> str:
    name = function_field(call)
    return (
        "plain" if call[0] == "json" or (call[0] == "count" and not collection.fields[name].alias) else "text"
    )


def _end(scope: Scope, collection: Collection, path: Path) -> tuple[Collection, str]:
    """The collection that the last step of a path is looked up in."""
    for depth, step in enumerate(path[:-1]):
        scope.field(collection, step, path[:depth])
        side = scope.side(collection, step)
        if side is None or side.kind != "m2o":
            raise InvalidQuery(f'"{".".join(path)}" can\'t be grouped or aggregated')
        collection = scope.collection(str(side.relation.related), path[: depth + 1])
    return collection, path[-1]


def _column(scope: Scope, collection: Collection, name: str, path: Path) -> Field:
    found = scope.field(collection, name, path)
    if found.alias:
        raise InvalidQuery(
            f'Field "{name}" in collection "{collection.name}" can\'t be grouped or aggregated'
        )
    return found


def _value(scope: Scope, collection: Collection, row: Row, function: str, name: str) -> Scalar:
    if name == "*":
        if function != "count":
            raise InvalidQuery(f'"{function}" needs a field')
        return Scalar(Aggregate("count", None), "text")
    path = split_path(name)
    if any("(" in step for step in path):
        raise InvalidQuery(f'"{name}" can\'t be aggregated')
    at, step = _end(scope, collection, path)
    found = _column(scope, at, step, path[:-1])
    if function in _NUMERIC_ONLY and found.type not in _NUMBERS:
        raise InvalidQuery(f'"{function}" can\'t be applied to field "{name}"')
    if function in ("min", "max") and (found.type in _UNORDERED or found.concealed):
        raise InvalidQuery(f'"{function}" can\'t be applied to field "{name}"')
    expression: Expression = (
        masked(scope, collection, row, found)
        if len(path) == 1
        else value_at(scope, collection, row, path, ())
    )
    return Scalar(Aggregate(function, expression), _format(function, found))


def _format(function: str, found: Field) -> str:
    if function in ("min", "max"):
        return output_format(found)
    return "plain" if function in _NUMERIC_ONLY and found.type == "float" else "text"


def multiplying(where: Predicate | None) -> tuple[Predicate | None, tuple[Join, ...]]:
    """The rows that a filter goes through, as joins: an aggregate counts a row once for each of them.

    The contract has it so. Rows asked for by a quantifier, or inside an OR, do not multiply.
    """
    kept: list[Predicate] = []
    joins: list[Join] = []
    for member in where.members if isinstance(where, Both) else () if where is None else (where,):
        if isinstance(member, Exists) and member.plain:
            rest, inner = multiplying(member.where)
            joins.extend((Join(member.row, member.link, rest), *inner))
        else:
            kept.append(member)
    return both(*kept), tuple(joins)


def group_order(
    scope: Scope, collection: Collection, row: Row, query: Query, groups: Groups, sort: tuple[Sort, ...]
) -> tuple[tuple[Order, ...], Ordering]:
    """The order of groups: by their keys, by ``count`` or by ``function.field``."""
    ordering = Ordering(scope, collection, row)
    if not groups.keys:
        return (), ordering
    keys = dict(groups.keys)
    written = dict(zip(query.group or (), groups.keys, strict=True))
    values = {(function, name): scalar for function, fields in groups.values for name, scalar in fields}
    orders = []
    for key in sort or (Sort((groups.keys[0][0],)),):
        text = ".".join(key.path)
        if text in written or text in keys:
            expression = (written[text][1] if text in written else keys[text]).expression
        elif key.path == ("count",) and ("count", "*") in values:
            expression = values["count", "*"].expression
        elif (key.path[0], ".".join(key.path[1:])) in values:
            expression = values[key.path[0], ".".join(key.path[1:])].expression
        else:
            scope.field(collection, key.path[0], ())
            raise InvalidQuery(f'Groups can\'t be sorted by "{text}"')
        orders.append(Order(expression, key.descending))
    return tuple(orders), ordering
