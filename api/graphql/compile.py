"""Root fields of the model to plans: selections become members, arguments parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphql import GraphQLObjectType, GraphQLUnionType
from graphql.language.ast import FieldNode

from api.graphql.arguments import arguments_of, nested_parameters, parameters, root_parameters
from api.graphql.collect import Collected, Collector
from api.graphql.schema import LazySchema
from domain.access.caller import Caller
from domain.errors import InvalidQuery
from domain.graphql import kinds
from domain.graphql.definitions import AS_OF, union_name
from domain.graphql.outline import Shape
from domain.graphql.roots import Root
from domain.model.types import default_value
from domain.query.filters import Filter
from domain.query.limits import QueryLimits
from domain.query.parse import parse_query
from domain.query.plan import ReadPlan
from domain.query.planner import plan_item, plan_keys, plan_list, plan_singleton
from domain.query.query import (
    TYPE_NAME,
    AnyRelated,
    Functions,
    GroupMember,
    Member,
    Members,
    Named,
    Parameters,
    Plain,
    Query,
    Related,
)

ESTIMATE = 10
"""Rows per parent that a relation without a limit of its own is taken to have."""


Asked = Mapping[str, Any] | None
"""A query in the names of REST that stands for the arguments; None for the arguments themselves."""
PUBLISHED = frozenset({None, "", "main"})
"""Keys of versions that mean the item itself."""


@dataclass(frozen=True, slots=True)
class Version:
    """The content version to read an item as: of which item (None for a singleton's), and its key.

    ``raw`` is for the changes as they were sent: the answer's names, each with its field (of `TYPE_NAME`
    the type's own) and scalar; the plan then answers with fields under their own names.
    """

    collection: str
    item: str | None
    key: str
    raw: tuple[tuple[str, str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class Compiled:
    """A root field as a plan. ``default`` is what a singleton without a row answers with, JSON as values;
    ``filter`` is a list's, ``members`` are those of its items.
    """

    plan: ReadPlan
    default: dict[str, Any] | None = None
    required: tuple[str, ...] = ()
    version: Version | None = None
    filter: Filter | None = None
    members: Members | None = None


class Compiler:
    """Compiles the root fields of one operation."""

    def __init__(self, collector: Collector, caller: Caller, limits: QueryLimits, most: int | None) -> None:
        self.collector = collector
        self.schema: LazySchema = collector.schema
        self.outline = collector.schema.outline
        self._caller = caller
        self._limits = limits
        self._most = most
        self._cost = 0

    def arguments(self, type_: GraphQLObjectType | None, nodes: Sequence[FieldNode]) -> dict[str, Any]:
        """The arguments of a root field."""
        assert type_ is not None
        return arguments_of(type_, nodes[0], self.collector.variables)

    def query(
        self,
        root: Root,
        nodes: Sequence[FieldNode],
        given: dict[str, Any],
        *,
        open_key: bool = False,
        asked: Asked = None,
    ) -> Compiled:
        """The plan of a root field of Query, perhaps as filters have ``asked`` it.

        ``open_key`` leaves the key to whoever runs it.
        """
        name = root.collection
        if root.kind == "list":
            parameters = self._parameters(name, given, asked)
            return self._list(name, self._tree(name, nodes, parameters, many=True))
        if root.kind == "aggregated":
            return self._list(name, self._groups(name, nodes, given, self._parameters(name, given, asked)))
        if root.kind == "by_id":
            key = None if open_key else str(given["id"])
            return replace(self.item(name, nodes, key, asked), version=self._version(name, key, given))
        if root.kind == "singleton":
            return replace(self.singleton(name, nodes, asked), version=self._version(name, None, given))
        return self._raw(name, nodes, given)

    def item(self, name: str, nodes: Sequence[FieldNode], key: str | None, asked: Asked = None) -> Compiled:
        """The plan of one item that a mutation answers with; None leaves the key to whoever runs it."""
        query = self._tree(name, nodes, self._parameters(name, {}, asked))
        return Compiled(self._item(name, query, key), members=query.members)

    def items(
        self,
        name: str,
        nodes: Sequence[FieldNode],
        keys: Sequence[str],
        given: dict[str, Any],
        asked: Asked = None,
    ) -> Compiled:
        """The plan of the items that a mutation answers with."""
        query = self._tree(name, nodes, self._parameters(name, given, asked), many=True)
        outline = self.outline
        plan = plan_keys(outline.model, outline.rights, self._caller, name, keys, query, self._limits)
        return Compiled(plan, members=query.members)

    def singleton(self, name: str, nodes: Sequence[FieldNode], asked: Asked = None) -> Compiled:
        """The plan of a singleton."""
        outline = self.outline
        query = self._tree(name, nodes, self._parameters(name, {}, asked))
        plan = plan_singleton(outline.model, outline.rights, self._caller, name, query, self._limits)
        default, required = self._defaults(name, query.members or ())
        return Compiled(replace(plan, empty=None), default, required, members=query.members)

    def _parameters(self, name: str, given: dict[str, Any], asked: Asked) -> Parameters:
        if asked is not None:
            return parameters(asked, self._limits)
        return root_parameters(self.outline, name, given, self._limits) if given else Parameters()

    # -- plans ---------------------------------------------------------------------------------------------

    def _list(self, name: str, query: Query) -> Compiled:
        outline = self.outline
        plan = plan_list(outline.model, outline.rights, self._caller, name, query, self._limits)
        return Compiled(plan, filter=query.root.filter, members=query.members)

    def _item(self, name: str, query: Query, key: str | None) -> ReadPlan:
        outline = self.outline
        if key is None:
            return plan_item(outline.model, outline.rights, self._caller, name, query, self._limits)
        found = plan_keys(outline.model, outline.rights, self._caller, name, [key], query, self._limits)
        return replace(found, single=True, page=replace(found.page, order=(), joins=()))

    def _version(self, name: str, item: str | None, given: dict[str, Any]) -> Version | None:
        key = given.get("version")
        if key in PUBLISHED:
            return None
        if given.get(AS_OF) is not None:
            raise InvalidQuery(f'"version" and "{AS_OF}" exclude each other')
        return Version(name, item, str(key))

    def _defaults(self, name: str, members: Members) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What a singleton answers with that has no row, and the members that can't be null."""
        shapes = self.outline.fields(name, "read")
        values: dict[str, Any] = {}
        required = []
        for member in members:
            values[member.output] = None
            if isinstance(member, Named):
                values[member.output] = member.text
            elif isinstance(member, Plain):
                field = shapes[member.field].field
                if field.column is not None and not field.column.primary_key:
                    values[member.output] = default_value(field.column.default, field.type)
                if shapes[member.field].required and values[member.output] is None:
                    required.append(member.output)
            elif isinstance(member, Related) and shapes[member.field].kind == "many":
                values[member.output] = []
        return values, tuple(required)

    # -- selections ----------------------------------------------------------------------------------------

    def _tree(
        self, name: str, nodes: Sequence[FieldNode], parameters: Parameters, *, many: bool = False
    ) -> Query:
        rows = self._spend(1, parameters, self._limits.default) if many else 1
        members = self._members(name, self.collector.below(nodes, name), rows)
        return Query(root=parameters, members=members)

    def _members(self, name: str, found: Collected, rows: int) -> Members:
        shapes = self.outline.fields(name, "read")
        type_ = self.schema.get_type(name)
        assert isinstance(type_, GraphQLObjectType)
        members: list[Member] = []
        for output, nodes in found.items():
            asked = nodes[0].name.value
            if asked == TYPE_NAME:
                members.append(Named(output, name))
            elif asked in shapes:
                members.append(self._member(type_, output, shapes[asked], nodes, rows))
            else:
                members.append(self._functions(output, asked.removesuffix("_func"), shapes, nodes))
        return tuple(members)

    def _member(
        self, type_: GraphQLObjectType, output: str, shape: Shape, nodes: Sequence[FieldNode], rows: int
    ) -> Member:
        if shape.kind == "scalar":
            return Plain(output, shape.name, kinds.value_form(shape.field, shape.scalar))
        if shape.kind == "any":
            return AnyRelated(output, shape.name, self._branches(type_.name, shape, nodes, rows))
        given = arguments_of(type_, nodes[0], self.collector.variables)
        parameters = nested_parameters(self.outline, shape.related, given, self._limits)
        below = self._spend(rows, parameters, ESTIMATE) if shape.kind == "many" else rows
        members = self._members(shape.related, self.collector.below(nodes, shape.related), below)
        return Related(output, shape.name, members, parameters)

    def _branches(
        self, owner: str, shape: Shape, nodes: Sequence[FieldNode], rows: int
    ) -> tuple[tuple[str, Members], ...]:
        union = self.schema.get_type(union_name(owner, shape.name))
        assert isinstance(union, GraphQLUnionType)
        return tuple(
            (target, self._members(target, self.collector.below(nodes, target), rows))
            for target in shape.targets
        )

    def _functions(self, output: str, field: str, shapes: Any, nodes: Sequence[FieldNode]) -> Functions:
        shape = shapes[field]
        type_name = f"{shape.functions}_functions"
        found = self.collector.below(nodes, type_name)
        functions = tuple((inner, asked[0].name.value) for inner, asked in found.items())
        return Functions(output, field, functions, type_name)

    def _raw(self, name: str, nodes: Sequence[FieldNode], given: dict[str, Any]) -> Compiled:
        """A version with its changes as they were sent: every relation as its key or keys."""
        outline, type_name = self.outline, f"version_{name}"
        shapes = outline.fields(name, outline.versioned(name))
        members: dict[str, Plain] = {}
        raw: list[tuple[str, str, str]] = []
        for output, found in self.collector.below(nodes, type_name).items():
            asked = found[0].name.value
            if asked == TYPE_NAME:
                raw.append((output, TYPE_NAME, type_name))
                continue
            shape = shapes[asked]
            related = shape.kind in ("one", "many")
            form = "plain" if related else kinds.value_form(shape.field, shape.scalar)
            members[asked] = Plain(asked, asked, form)
            raw.append((output, asked, "JSON" if related else shape.scalar))
        query = Query(root=Parameters(), members=tuple(members.values()))
        item = str(given["id"]) if "id" in given else None
        if item is None:
            plan = plan_singleton(outline.model, outline.rights, self._caller, name, query, self._limits)
            plan = replace(plan, empty=None)
        else:
            plan = self._item(name, query, item)
        return Compiled(plan, version=Version(name, item, given["version"], tuple(raw)))

    def _groups(
        self, name: str, nodes: Sequence[FieldNode], given: dict[str, Any], parameters: Parameters
    ) -> Query:
        asked: dict[str, dict[str, None]] = {}
        grouped: list[GroupMember] = []
        for output, inner in self.collector.below(nodes, f"{name}_aggregated").items():
            function = inner[0].name.value
            if function == TYPE_NAME:
                grouped.append(GroupMember(output, "", text=f"{name}_aggregated"))
                continue
            if function in ("group", "countAll"):
                grouped.append(GroupMember(output, function))
                continue
            kind = "count" if function in ("count", "countDistinct") else "fields"
            type_name = f"{name}_aggregated_{kind}"
            fields = []
            for key, found in self.collector.below(inner, type_name).items():
                field = found[0].name.value
                fields.append((key, field))
                if field != TYPE_NAME:
                    asked.setdefault(function, {})[field] = None
            grouped.append(GroupMember(output, function, tuple(fields), type_name))
        group = [entry for entry in given.get("groupBy") or () if entry]
        made = parse_query({"groupBy": group}, self._limits)
        self._spend(1, parameters, self._limits.default)
        aggregate = tuple((function, tuple(names)) for function, names in asked.items())
        return Query(root=parameters, aggregate=aggregate, group=made.group, grouped=tuple(grouped))

    def _spend(self, parents: int, parameters: Parameters, estimate: int) -> int:
        """The rows that a list adds to the estimate. Raises InvalidQuery beyond the limit."""
        limit = parameters.limit
        rows = parents * (estimate if limit is None or limit < 0 else limit)
        self._cost += rows
        if self._most is not None and self._cost > self._most:
            raise InvalidQuery(
                f"The query is estimated to read more than {self._most} rows; lower its limits"
            )
        return rows
