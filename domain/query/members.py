"""The members of an answer as a GraphQL selection names them, and the levels of the plan they become.

Where ``fields`` is a list of paths, this is a tree: every member bears its own output name, functions stand
in an object beside their field, and an any-to-one relation has members for each of its collections.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors import InvalidQuery
from domain.model import Collection, Side
from domain.query.calls import called
from domain.query.conditions import compile_filter
from domain.query.fields import output_format
from domain.query.ordering import Ordering
from domain.query.plan import (
    Constant,
    Level,
    Node,
    Predicate,
    Record,
    Ref,
    Row,
    Scalar,
    Text,
    ToAny,
    ToMany,
    ToOne,
    both,
)
from domain.query.query import TYPE_NAME, AnyRelated, Functions, Member, Members, Named, Plain, Related
from domain.query.scope import Path, Scope
from domain.query.search import search_predicate
from domain.query.select import default_sort, stops_early, window
from domain.query.visibility import mask, masked, row_rule


@dataclass
class MemberLevels:
    """Builds the levels of one answer from members."""

    scope: Scope

    def level(self, collection: Collection, row: Row, members: Members, path: Path = ()) -> Level:
        """One level; an object without members is an empty one."""
        if len(path) >= self.scope.limits.depth:
            raise InvalidQuery(f'Max relational depth exceeded at "{".".join(path)}"')
        names = field_names(members)
        outputs = tuple(
            (member.output, self._node(collection, row, member, path, names)) for member in members
        )
        return Level(outputs, blank=True)

    def _node(
        self, collection: Collection, row: Row, member: Member, path: Path, names: tuple[str, ...]
    ) -> Node:
        scope = self.scope
        if isinstance(member, Named):
            return Constant(member.text)
        found = scope.field(collection, member.field, path)
        if isinstance(member, Functions):
            values: list[tuple[str, Node]] = []
            for output, function in member.functions:
                if function == TYPE_NAME:
                    values.append((output, Constant(member.type_name)))
                    continue
                expression = called(scope, collection, row, (function, member.field), path, names=names)
                values.append((output, Scalar(expression, "integer")))
            return Record(tuple(values))
        side = scope.side(collection, member.field)
        if isinstance(member, Plain):
            if found.alias:
                return self._keys(collection, row, member, side, path, names)
            return Scalar(masked(scope, collection, row, found, names), member.form)
        if side is None:
            raise InvalidQuery(f'"{member.field}" leads nowhere')
        scope.count_relation((*path, member.field))
        if isinstance(member, AnyRelated):
            return self._to_any(collection, row, member, side, path, names)
        if side.kind == "o2m":
            return self._to_many(collection, row, member, side, (*path, member.field), names)
        related = scope.collection(str(side.relation.related), (*path, member.field))
        return self._to_one(collection, row, member, side, related, (*path, member.field), names)

    def _keys(
        self,
        collection: Collection,
        row: Row,
        member: Plain,
        side: Side | None,
        path: Path,
        names: tuple[str, ...],
    ) -> Node:
        if side is None or side.kind != "o2m" or not self.scope.rights.may(side.relation.collection, "read"):
            return Constant(None)
        self.scope.count_relation((*path, member.field))
        related = Related(member.output, member.field, ())
        node = self._to_many(collection, row, related, side, (*path, member.field), names)
        child = self.scope.collection(side.relation.collection)
        key = self.scope.key(node.row, child)
        assert key is not None
        form = output_format(child.fields[key.column]) if isinstance(key, Ref) else "plain"
        return ToMany(
            node.row, node.link, node.where, node.joins, node.order, node.limit, node.offset,
            Level((), Scalar(key, form)), shown=node.shown,
        )  # fmt: skip

    def _to_one(
        self,
        collection: Collection,
        row: Row,
        member: Related,
        side: Side,
        related: Collection,
        path: Path,
        names: tuple[str, ...],
    ) -> ToOne:
        scope = self.scope
        hop = (
            scope.to_any(row, collection, side, related, path[-1])
            if side.kind == "a2o"
            else scope.to_one(row, collection, side, related)
        )
        visible = self._visible(related, hop.row, member, path)
        level = self.level(related, hop.row, member.members, path)
        return ToOne(hop.row, hop.link, visible, level, mask(scope, collection, row, member.field, names))

    def _to_many(
        self,
        collection: Collection,
        row: Row,
        member: Related,
        side: Side,
        path: Path,
        names: tuple[str, ...],
    ) -> ToMany:
        scope, parameters = self.scope, member.parameters
        child = scope.collection(side.relation.collection, path)
        hop = scope.to_many(row, collection, child, side.relation.field, member.field)
        where = self._visible(child, hop.row, member, path)
        level = self.level(child, hop.row, member.members, path)
        ordering = Ordering(scope, child, hop.row, path)
        sort = parameters.sort or default_sort(scope, child, side.relation)
        order = ordering.keys(sort)
        limit, offset = window(scope, parameters, nested=True)
        shown_first = bool(sort) and any(
            isinstance(entry, Plain) and (entry.field,) == sort[0].path for entry in member.members
        )
        return ToMany(
            hop.row,
            hop.link,
            where,
            tuple(ordering.joins.values()),
            order,
            limit,
            offset,
            level,
            each=stops_early(child, side.relation, parameters.limit),
            nulls_last=shown_first and sort[0].descending,
            shown=mask(scope, collection, row, member.field, names),
        )

    def _to_any(
        self,
        collection: Collection,
        row: Row,
        member: AnyRelated,
        side: Side,
        path: Path,
        names: tuple[str, ...],
    ) -> ToAny:
        scope, meta = self.scope, side.relation.meta
        branches: list[tuple[str, ToOne | None]] = []
        for target, members in member.branches:
            scope.count_relation((*path, f"{member.field}:{target}"))
            known = scope.collection(target, (*path, member.field))
            inner = Related(member.output, member.field, members)
            step = f"{member.field}:{target}"
            node = self._to_one(collection, row, inner, side, known, (*path, step), names)
            branches.append((target, ToOne(node.row, node.link, node.visible, node.level)))
        which = scope.ref(row, collection, str(meta.one_collection_field if meta else ""))
        return ToAny(Text(which), None, tuple(branches), mask(scope, collection, row, member.field, names))

    def _visible(self, collection: Collection, row: Row, member: Related, path: Path) -> Predicate | None:
        scope, parameters = self.scope, member.parameters
        return both(
            row_rule(scope, collection, row, field_names(member.members)),
            compile_filter(scope, parameters.filter, collection, row, path),
            search_predicate(scope, collection, row, parameters.search),
        )


def field_names(members: Members) -> tuple[str, ...]:
    """The fields that members speak of."""
    return tuple(dict.fromkeys(member.field for member in members if not isinstance(member, Named)))
