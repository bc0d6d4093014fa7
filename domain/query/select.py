"""The ``fields`` of a query to the levels of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain.errors import InvalidQuery
from domain.model import Collection, Field, Relation, Side
from domain.query.calls import called, function_field, function_key
from domain.query.conditions import compile_filter
from domain.query.fields import output_format
from domain.query.ordering import Ordering
from domain.query.parse import split_path
from domain.query.plan import (
    JsonPath,
    Level,
    Node,
    Predicate,
    Ref,
    Row,
    Scalar,
    Text,
    ToAny,
    ToMany,
    ToOne,
    both,
)
from domain.query.query import NO_PARAMETERS, Parameters, Sort
from domain.query.scope import Path, Scope, function_call
from domain.query.search import search_predicate
from domain.query.visibility import mask, masked, row_rule

EACH_LIMIT = 50
"""Up to this limit per parent, reading each parent's rows by themselves may be faster: see `stops_early`."""


@dataclass
class Wanted:
    """One member of the answer: a field or call, plain or with paths below it (per any-to-one scope)."""

    name: str
    call: tuple[str, str] | None = None
    plain: bool = False
    below: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def astray(self) -> bool:
        """Whether all that is asked for is below a field that is no relation."""
        return not self.plain and not self.below and self.call is None


@dataclass
class Selection:
    """Builds the levels of one answer."""

    scope: Scope
    backlink: bool = True

    def level(
        self,
        collection: Collection,
        row: Row,
        wanted: Mapping[str, Wanted],
        parameters: Parameters,
        path: Path,
    ) -> Level:
        """One level of the answer."""
        names = tuple(dict.fromkeys(entry.name for entry in wanted.values()))
        outputs = []
        for name, entry in wanted.items():
            below = parameters.levels.get(name, NO_PARAMETERS)
            node = self._node(collection, row, entry, below, path, names, parameters, name)
            if node is not None:
                outputs.append((name, node))
        if outputs:
            return Level(tuple(outputs))
        # What leads nowhere leaves nothing; what the caller may not see leaves keys, as in the reference.
        if any(entry.astray for entry in wanted.values()):
            return Level((), blank=True)
        return Level((), self._bare(collection, row))

    def wanted(
        self,
        collection: Collection,
        paths: Sequence[Path],
        parameters: Parameters,
        path: Path,
        parent: Relation | None = None,
    ) -> dict[str, Wanted]:
        """The members that paths ask for, wildcards and aliases resolved.

        Raises:
            Forbidden: naming every plain field that is missing or not permitted.
        """
        found: dict[str, Wanted] = {}
        refused: list[str] = []
        for steps in paths:
            head, rest = steps[0], steps[1:]
            if head == "*":
                self._wildcard(collection, rest, parameters, found, parent)
            elif head in parameters.alias:
                target = split_path(parameters.alias[head])
                self._named(collection, head, (*target, *rest), found, refused)
            else:
                self._named(collection, None, steps, found, refused)
        if refused:
            raise self.scope.refused(collection, list(dict.fromkeys(refused)), path)
        return found

    def _wildcard(
        self,
        collection: Collection,
        rest: Path,
        parameters: Parameters,
        found: dict[str, Wanted],
        parent: Relation | None,
    ) -> None:
        ignored: list[str] = []
        for name, entry in collection.item_fields.items():
            if not self.scope.permitted(collection, name):
                continue
            side = self.scope.side(collection, name)
            if side is None:
                if not entry.alias:
                    self._named(collection, None, (name,), found, ignored)
                continue
            back = not self.backlink and parent is not None and side.relation is parent
            if rest and not back and self._readable(side):
                self._named(collection, None, (name, *rest), found, ignored)
            elif not entry.alias or self._readable(side):
                self._named(collection, None, (name,), found, ignored)
        for alias, target in parameters.alias.items():
            self._named(collection, alias, split_path(target), found, ignored)

    def _readable(self, side: Side) -> bool:
        if side.kind == "a2o":
            return True
        target = side.relation.collection if side.kind == "o2m" else side.relation.related
        return target is not None and self.scope.rights.may(target, "read")

    def _named(
        self,
        collection: Collection,
        alias: str | None,
        steps: Path,
        found: dict[str, Wanted],
        refused: list[str],
    ) -> None:
        head, rest = steps[0], steps[1:]
        call = function_call(head, collection)
        if call is not None:
            inner = split_path(function_field(call))
            if len(inner) > 1:
                # fn(rel.a) is another way to write rel.fn(a).
                argument = inner[-1] + call[1][len(function_field(call)) :]
                self._named(collection, alias, (*inner[:-1], f"{call[0]}({argument})"), found, refused)
                return
            if rest:
                raise InvalidQuery(f'Invalid function "{".".join(steps)}"')
            self._permit(collection, inner[0], refused)
            found[alias or function_key(call)] = Wanted(inner[0], call=call)
            return
        name, _, target = head.partition(":")
        if not rest:
            if target or not self._permit(collection, head, refused):
                if target:
                    refused.append(head)
                return
            found.setdefault(alias or name, Wanted(name)).plain = True
            return
        if not self._permit(collection, name, refused):
            return
        side = self.scope.side(collection, name)
        if side is None:
            found.setdefault(alias or name, Wanted(name))
            return
        if side.kind != "a2o" and (target or not self._readable(side)):
            return
        found.setdefault(alias or name, Wanted(name)).below.setdefault(target, []).append(rest)

    def _permit(self, collection: Collection, name: str, refused: list[str]) -> bool:
        if name in collection.item_fields and self.scope.permitted(collection, name):
            return True
        refused.append(name)
        return False

    def _bare(self, collection: Collection, row: Row) -> Scalar | None:
        key = self.scope.key(row, collection)
        if key is None:
            return None
        if isinstance(key, Ref):
            return Scalar(key, output_format(collection.fields[key.column]))
        return Scalar(key)

    def _node(
        self,
        collection: Collection,
        row: Row,
        entry: Wanted,
        below: Parameters,
        path: Path,
        names: tuple[str, ...],
        parameters: Parameters,
        output: str,
    ) -> Node | None:
        scope = self.scope
        if entry.call is not None:
            expression = called(scope, collection, row, entry.call, path, names=names)
            json = isinstance(expression, JsonPath) or (
                entry.call[0] == "count" and not collection.fields[entry.name].alias
            )
            return Scalar(expression, "plain" if json else "text")
        found = collection.fields[entry.name]
        side = scope.side(collection, entry.name)
        if side is None:
            return None if found.alias or entry.astray else self._scalar(collection, row, found, names)
        if side.kind == "o2m":
            return self._to_many(collection, row, entry, side, below, (*path, entry.name), names)
        if not entry.below:
            return self._scalar(collection, row, found, names)
        if side.kind == "a2o":
            return self._to_any(collection, row, entry, side, parameters, path, names, output)
        scope.count_relation((*path, entry.name))
        related = scope.collection(str(side.relation.related), (*path, entry.name))
        return self._to_one(
            collection, row, entry.name, side, related, entry.below[""], below, (*path, entry.name), names
        )

    def _scalar(self, collection: Collection, row: Row, found: Field, names: tuple[str, ...]) -> Scalar:
        return Scalar(masked(self.scope, collection, row, found, names), output_format(found))

    def _to_one(
        self,
        collection: Collection,
        row: Row,
        name: str,
        side: Side,
        related: Collection,
        paths: list[Path],
        parameters: Parameters,
        path: Path,
        names: tuple[str, ...],
    ) -> ToOne:
        scope = self.scope
        hop = (
            scope.to_any(row, collection, side, related, path[-1])
            if side.kind == "a2o"
            else scope.to_one(row, collection, side, related)
        )
        wanted = self.wanted(related, paths, parameters, path, side.relation)
        visible = self._visible(related, hop.row, wanted, parameters, path)
        level = self.level(related, hop.row, wanted, parameters, path)
        return ToOne(hop.row, hop.link, visible, level, mask(scope, collection, row, name, names))

    def _visible(
        self,
        collection: Collection,
        row: Row,
        wanted: Mapping[str, Wanted],
        parameters: Parameters,
        path: Path,
    ) -> Predicate | None:
        scope = self.scope
        names = tuple(dict.fromkeys(entry.name for entry in wanted.values()))
        return both(
            row_rule(scope, collection, row, names),
            compile_filter(scope, parameters.filter, collection, row, path),
            search_predicate(scope, collection, row, parameters.search),
        )

    def _to_many(
        self,
        collection: Collection,
        row: Row,
        entry: Wanted,
        side: Side,
        parameters: Parameters,
        path: Path,
        names: tuple[str, ...],
    ) -> ToMany | None:
        scope = self.scope
        scope.count_relation(path)
        if not scope.rights.may(side.relation.collection, "read"):
            return None
        child = scope.collection(side.relation.collection, path)
        hop = scope.to_many(row, collection, child, side.relation.field, entry.name)
        paths = entry.below.get("", [])
        wanted = self.wanted(child, paths, parameters, path, side.relation)
        where = self._visible(child, hop.row, wanted, parameters, path)
        level = self.level(child, hop.row, wanted, parameters, path)
        ordering = Ordering(scope, child, hop.row, path)
        sort = parameters.sort or default_sort(scope, child, side.relation)
        order = ordering.keys(sort)
        limit, offset = window(scope, parameters, nested=True)
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
            nulls_last=bool(sort) and sort[0].descending and _selected(wanted, sort[0]),
            shown=mask(scope, collection, row, entry.name, names),
        )

    def _to_any(
        self,
        collection: Collection,
        row: Row,
        entry: Wanted,
        side: Side,
        parameters: Parameters,
        path: Path,
        names: tuple[str, ...],
        output: str,
    ) -> ToAny:
        scope, meta = self.scope, side.relation.meta
        branches: list[tuple[str, ToOne | None]] = []
        for target in (meta.one_allowed_collections or ()) if meta else ():
            paths = [*entry.below.get("", []), *entry.below.get(target, [])]
            known = scope.model.collection(target)
            if not paths or known is None:
                continue
            if not scope.rights.may(target, "read") or len(known.primary_key) != 1:
                branches.append((target, None))
                continue
            scope.count_relation((*path, f"{entry.name}:{target}"))
            step = f"{entry.name}:{target}"
            below = parameters.levels.get(f"{output}:{target}", NO_PARAMETERS)
            node = self._to_one(collection, row, entry.name, side, known, paths, below, (*path, step), names)
            branches.append((target, replace(node, shown=None)))
        found = collection.fields[entry.name]
        item = Scalar(scope.ref(row, collection, found.name), output_format(found))
        which = scope.ref(row, collection, str(meta.one_collection_field if meta else ""))
        return ToAny(Text(which), item, tuple(branches), mask(scope, collection, row, found.name, names))


def window(scope: Scope, parameters: Parameters, *, nested: bool = False) -> tuple[int, int]:
    """The number of rows to read (-1: all) and to leave out."""
    limits = scope.limits
    # The maximum binds nested rows only where all of them are asked for.
    limit = limits.default if nested and parameters.limit is None else limits.rows(parameters.limit)
    offset = parameters.offset or 0
    if parameters.page:
        offset = (parameters.page - 1) * limit if limit >= 0 and parameters.limit != -1 else 0
    return limit, min(offset, 2**63 - 1)


def stops_early(child: Collection, relation: Relation, limit: int | None) -> bool:
    """Whether to read each parent's rows by themselves, up to the limit, instead of all parents' at once.

    `python -m bench forms` shows what it is worth: it is faster where parents have many rows, and slower
    where they have few; beyond `EACH_LIMIT` that loses more than it gains. Without an index on the column
    each parent would cost a scan of the whole table.
    """
    column = child.columns.get(relation.field)
    return limit is not None and 0 < limit <= EACH_LIMIT and column is not None and column.leading


def default_sort(scope: Scope, collection: Collection, relation: Relation | None = None) -> tuple[Sort, ...]:
    """The sort of a list that does not say: relation's sort field, collection's, key, else any field."""
    meta = relation.meta if relation else None
    candidates = (meta.sort_field if meta else None, collection.sort_field, *collection.primary_key)
    for position, name in enumerate(candidates):
        if name and name in collection.columns and scope.permitted(collection, name):
            rest = candidates[position:] if name in collection.primary_key else (name,)
            return tuple(Sort((str(entry),)) for entry in rest)
    readable = (
        name
        for name, column in collection.columns.items()
        if scope.permitted(collection, name) and column.base_type not in ("json", "xml", "point")
    )
    return tuple(Sort((name,)) for name in list(readable)[:1])


def _selected(wanted: Mapping[str, Wanted], key: Sort) -> bool:
    entry = wanted.get(key.path[0]) if len(key.path) == 1 else None
    return entry is not None and entry.call is None and entry.plain
