"""``aggregate`` and ``groupBy``: rows of groups instead of items."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from domain.errors import InvalidQuery
from domain.model import Collection, Field
from domain.query.calls import called, function_field, function_key
from domain.query.fields import NUMERIC, output_format, require_open
from domain.query.parse import split_path
from domain.query.plan import (
    Aggregate,
    Both,
    Constant,
    Exists,
    Expression,
    Groups,
    Join,
    Link,
    Node,
    Order,
    Predicate,
    Record,
    Ref,
    Row,
    Scalar,
    Text,
    both,
)
from domain.query.query import TYPE_NAME, GroupMember, Query, Sort
from domain.query.scope import Path, Scope, function_call
from domain.query.visibility import masked, step_to

_NUMBERS = NUMERIC | {"bigInteger"}
_NUMERIC_ONLY = frozenset({"sum", "sumDistinct", "avg", "avgDistinct"})
_UNORDERED = frozenset({"json", "boolean", "csv", "alias", "binary", "uuid"})


@dataclass
class Joined:
    """The related rows that groups look at. They are joined: a row counts once for each of its related rows,
    and once where it has none.

    ``filtered`` are the rows that the filter goes through: a path that goes the same way means the same row.
    """

    scope: Scope
    collection: Collection
    row: Row
    filtered: tuple[Join, ...] = ()
    joins: dict[Path, Join] = field(default_factory=dict)
    places: dict[Path, tuple[Collection, Row]] = field(default_factory=dict)

    def place(self, path: Path) -> tuple[Collection, Row]:
        """The collection and row that a path of relations leads to."""
        collection, row = self.collection, self.row
        for depth, step in enumerate(path):
            prefix = path[: depth + 1]
            if prefix not in self.places:
                self.places[prefix] = self._step(collection, row, step, prefix)
            collection, row = self.places[prefix]
        return collection, row

    def _step(self, collection: Collection, row: Row, step: str, prefix: Path) -> tuple[Collection, Row]:
        if "(" in step and step not in collection.item_fields:
            raise InvalidQuery(f"\"{step}\" can't be a step of a group's path")
        hop, visible = step_to(self.scope, collection, row, step, prefix[:-1])
        for join in self.filtered:
            if _same_way(join.link, hop.link):
                return hop.collection, join.row
        self.joins[prefix] = Join(hop.row, hop.link, visible)
        return hop.collection, hop.row


def _same_way(one: Link, other: Link) -> bool:
    ways = [[(here, _without_row(there)) for here, there in link.pairs] for link in (one, other)]
    return ways[0] == ways[1] and one.when == other.when


def _without_row(there: Expression) -> Expression:
    if isinstance(there, Text):
        return Text(_without_row(there.argument))
    return replace(there, row=replace(there.row, number=-1)) if isinstance(there, Ref) else there


def plan_groups(joined: Joined, query: Query) -> Groups:
    """The keys and values of the groups that a query asks for."""
    keys = tuple(_key(joined, entry) for entry in query.group or ())
    values = []
    for function, names in query.aggregate:
        if function == "countAll":
            continue
        fields = tuple((name, _value(joined, function, name)) for name in names)
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
            numbers = {name: replace(value, format="number") for name, value in found.items()}
            node = Record(
                tuple(
                    (output, Constant(member.text) if name == TYPE_NAME else numbers[name])
                    for output, name in member.fields
                )
            )
        members.append((member.output, node))
    return tuple(members)


def _key(joined: Joined, entry: str) -> tuple[str, Scalar]:
    """One group key: a field or function, also at the end of relations (an extension)."""
    path = split_path(entry)
    step, base = path[-1], path[:-1]
    collection, row = joined.place(base)
    call = function_call(step, collection)
    if call is not None:
        name = ".".join((*base, function_key(call)))
        return name, Scalar(called(joined.scope, collection, row, call, base), _call_format(call, collection))
    found = _column(joined.scope, collection, step, base)
    require_open(found, "grouped by")
    return entry, Scalar(masked(joined.scope, collection, row, found), output_format(found))


def _call_format(call: tuple[str, str], collection: Collection) -> str:
    name = function_field(call)
    return (
        "plain" if call[0] == "json" or (call[0] == "count" and not collection.fields[name].alias) else "text"
    )


def _column(scope: Scope, collection: Collection, name: str, path: Path) -> Field:
    found = scope.field(collection, name, path)
    if found.alias:
        raise InvalidQuery(
            f'Field "{name}" in collection "{collection.name}" can\'t be grouped or aggregated'
        )
    return found


def _value(joined: Joined, function: str, name: str) -> Scalar:
    if name == "*":
        if function != "count":
            raise InvalidQuery(f'"{function}" needs a field')
        return Scalar(Aggregate("count", None), "text")
    *base, step = split_path(name)
    collection, row = joined.place(tuple(base))
    if function_call(step, collection) is not None:
        raise InvalidQuery(f'"{name}" can\'t be aggregated')
    found = _column(joined.scope, collection, step, tuple(base))
    if function in _NUMERIC_ONLY and found.type not in _NUMBERS:
        raise InvalidQuery(f'"{function}" can\'t be applied to field "{name}"')
    if function not in ("count", "countDistinct"):
        require_open(found, "aggregated")
    if function in ("min", "max") and found.type in _UNORDERED:
        raise InvalidQuery(f'"{function}" can\'t be applied to field "{name}"')
    return Scalar(Aggregate(function, masked(joined.scope, collection, row, found)), _format(function, found))


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
    scope: Scope, collection: Collection, query: Query, groups: Groups, sort: tuple[Sort, ...]
) -> tuple[Order, ...]:
    """The order of groups: by their keys, by ``count`` or by ``function.field``."""
    if not groups.keys:
        return ()
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
    return tuple(orders)
