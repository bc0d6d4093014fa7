"""The scope of a plan: names resolved against the model and checked against the caller's rights.

A name that does not exist and one that is not permitted are refused with the same words. `Scope.trusted` is
the scope of stored rules, which no caller's rights bind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from domain.access.caller import Caller
from domain.access.rights import ADMINISTRATOR, Rights
from domain.errors import Forbidden, InvalidQuery
from domain.model import Collection, Field, Model, Side
from domain.query.filters import EVERYTHING, Filter, parse_filter
from domain.query.limits import QueryLimits
from domain.query.operands import Value
from domain.query.plan import Compare, Expression, JoinedKey, Keyed, Link, Ref, Row, Text

Path = tuple[str, ...]

_CALL = re.compile(r"([A-Za-z_]+)\((.*)\)", re.DOTALL)
_FOLLOW = "$FOLLOW"


@dataclass(frozen=True, slots=True)
class ReadRule:
    """An alternative for reading a collection: these fields (None: all) in rows that meet the filter."""

    fields: frozenset[str] | None
    filter: Filter | None

    def covers(self, name: str) -> bool:
        """Whether the rule speaks of this field."""
        return self.fields is None or name in self.fields


@dataclass(frozen=True, slots=True)
class Hop:
    """A step from a row to a related one; ``naming`` are fields of that one that the step spells out."""

    collection: Collection
    row: Row
    link: Link
    many: bool
    name: str
    naming: Path = ()


@dataclass(frozen=True)
class Scope:
    """What planning one query needs to know. ``numbers`` tells the plan's rows apart."""

    model: Model
    rights: Rights
    caller: Caller
    limits: QueryLimits
    numbers: Iterator[int] = field(default_factory=count)
    relations: Iterator[int] = field(default_factory=lambda: count(1))
    stored: bool = False

    def trusted(self) -> Scope:
        """The scope of stored rules: everything may be looked at."""
        return replace(self, rights=ADMINISTRATOR, stored=True)

    def row(self, collection: Collection) -> Row:
        """A new appearance of a collection's table."""
        return Row(next(self.numbers), collection.schema, collection.table)

    def count_relation(self, path: Path) -> None:
        """Note that the request goes along one more relation, at ``path``; stored rules may as they like.

        Raises:
            InvalidQuery: when those are too many.
        """
        if not self.stored and next(self.relations) > self.limits.relations:
            raise InvalidQuery(
                f'The query goes along more than {self.limits.relations} relations, at "{".".join(path)}"'
            )

    def collection(self, name: str, path: Path = ()) -> Collection:
        """A collection that exists and that the caller may read something of."""
        found = self.model.collection(name)
        if found is None or not found.table or not self.rights.may(name, "read"):
            raise self._refused_collection(name, path)
        return found

    def field(self, collection: Collection, name: str, path: Path = ()) -> Field:
        """A field that exists and that the caller may read in some row."""
        found = collection.item_fields.get(name)
        if found is None or not self.permitted(collection, name):
            raise self.refused(collection, [name], path)
        return found

    def permitted(self, collection: Collection, name: str) -> bool:
        """Whether any rule speaks of the field."""
        return self.rights.admin or any(rule.covers(name) for rule in self.rights.of(collection.name, "read"))

    def refused(self, collection: Collection, names: list[str], path: Path) -> Exception:
        """The error for fields that do not exist or are not permitted."""
        if self.stored:
            return InvalidQuery(f'Invalid filter key "{names[0]}" on "{collection.name}"')
        return Forbidden.fields(collection.name, names, path)

    def _refused_collection(self, name: str, path: Path) -> Exception:
        if self.stored:
            return InvalidQuery(f'Invalid filter key "{path[-1] if path else name}"')
        return Forbidden.collection(name, path)

    def rules(self, collection: Collection) -> tuple[ReadRule, ...]:
        """The caller's read rules, those of equal filters united; empty for administrators."""
        if self.rights.admin:
            return ()
        known: tuple[ReadRule, ...] | None = self.rights.memory.get(collection.name)
        if known is None:
            united: dict[Filter | None, frozenset[str] | None] = {}
            for rule in self.rights.of(collection.name, "read"):
                condition = _stored_filter(rule.filter)
                fields = united.get(condition, frozenset())
                united[condition] = None if fields is None or rule.fields is None else fields | rule.fields
            known = tuple(ReadRule(fields, condition) for condition, fields in united.items())
            self.rights.memory[collection.name] = known
        return known

    # -- steps along relations -----------------------------------------------------------------------------

    def side(self, collection: Collection, name: str) -> Side | None:
        """The relation behind a field, if its other side is there."""
        side = self.model.side(collection.name, name)
        if side is None or name not in collection.fields:
            return None
        if side.kind == "o2m":
            many = self.model.collection(side.relation.collection)
            return side if many is not None and side.relation.field in many.columns else None
        if side.kind == "m2o" and (side.relation.related is None or not self._keyed(side.relation.related)):
            return None
        return side

    def _keyed(self, name: str) -> bool:
        target = self.model.collection(name)
        return target is not None and len(target.primary_key) == 1

    def many(self, collection: Collection, step: str) -> bool:
        """Whether a step leads to several rows."""
        if step.startswith(_FOLLOW):
            return True
        side = self.side(collection, step)
        return side is not None and side.kind == "o2m"

    def hop(self, collection: Collection, row: Row, step: str, path: Path) -> Hop:
        """The related row that a step of a filter or sort path leads to.

        Raises:
            Forbidden: when the step is no relation, or not a readable one.
            InvalidQuery: for an any-to-one step without its collection.
        """
        self.count_relation((*path, step))
        if step.startswith(_FOLLOW):
            return self._follow(collection, row, step, path)
        name, _, target = step.partition(":")
        self.field(collection, name, path)
        side = self.side(collection, name)
        if side is None:
            raise self.refused(collection, [name], (*path, name))
        if side.kind == "a2o":
            if not target:
                raise InvalidQuery(f'Field "{".".join((*path, name))}" needs a collection scope')
            if target not in (side.relation.meta.one_allowed_collections or () if side.relation.meta else ()):
                raise self._refused_collection(target, (*path, step))
            return self.to_any(row, collection, side, self.collection(target, (*path, step)), step)
        if target:
            raise self.refused(collection, [step], path)
        if side.kind == "m2o":
            related = self.collection(str(side.relation.related), (*path, step))
            return self.to_one(row, collection, side, related)
        child = self.collection(side.relation.collection, (*path, step))
        return self.to_many(row, collection, child, side.relation.field, step)

    def to_one(self, row: Row, collection: Collection, side: Side, related: Collection) -> Hop:
        """From a foreign key to the row it names."""
        name = side.relation.field
        constraint = side.relation.constraint
        there_name = (
            constraint.column
            if constraint and constraint.column in related.columns
            else related.primary_key[0]
        )
        there = self.row(related)
        link = Link(
            (paired(self.ref(row, collection, name), self.ref(there, related, there_name)),),
            enforced=constraint is not None,
        )
        return Hop(related, there, link, many=False, name=name)

    def to_many(
        self, row: Row, collection: Collection, child: Collection, foreign_key: str, name: str
    ) -> Hop:
        """From a row to those whose foreign key names it."""
        there = self.row(child)
        foreign = child.columns[foreign_key].foreign_key
        here_name = (
            foreign.column if foreign and foreign.column in collection.columns else collection.primary_key[0]
        )
        link = Link(
            (paired(self.ref(row, collection, here_name), self.ref(there, child, foreign_key)),),
            owned=foreign is not None,
        )
        return Hop(child, there, link, many=True, name=name)

    def to_any(self, row: Row, collection: Collection, side: Side, target: Collection, name: str) -> Hop:
        """From an item of a many-to-any junction to the row of one of its collections."""
        meta = side.relation.meta
        there = self.row(target)
        key = self.ref(there, target, target.primary_key[0])
        here = Keyed(self.ref(row, collection, side.relation.field), key.type)
        which = self.ref(row, collection, str(meta.one_collection_field if meta else ""))
        link = Link(((here, key),), when=Compare("eq", which, Value(target.name)))
        return Hop(target, there, link, many=False, name=name)

    def _follow(self, collection: Collection, row: Row, step: str, path: Path) -> Hop:
        call = re.fullmatch(r"\$FOLLOW\(\s*([^,()]+?)\s*,\s*([^,()]+?)\s*(?:,\s*([^,()]+?)\s*)?\)", step)
        if call is None:
            raise InvalidQuery(f'Invalid "{step}"')
        child = self.collection(call[1], (*path, step))
        self.field(child, call[2], (*path, step))
        if call[3] is None:
            side = self.side(child, call[2])
            if side is None or side.relation.related != collection.name:
                raise self.refused(child, [call[2]], (*path, step))
            return replace(self.to_many(row, collection, child, call[2], step), naming=(call[2],))
        self.field(child, call[3], (*path, step))
        there = self.row(child)
        here = Text(self.ref(row, collection, collection.primary_key[0]))
        item, which = self.ref(there, child, call[2]), self.ref(there, child, call[3])
        link = Link(((here, Text(item)),), when=Compare("eq", which, Value(collection.name)))
        return Hop(child, there, link, many=True, name=step, naming=(call[2], call[3]))

    def key(self, row: Row, collection: Collection) -> Expression | None:
        """The key of a row, as text when it has several columns; None for collections without one."""
        parts = tuple(self.ref(row, collection, name) for name in collection.primary_key)
        return parts[0] if len(parts) == 1 else JoinedKey(parts) if parts else None

    def ref(self, row: Row, collection: Collection, name: str) -> Ref:
        """A column of a row."""
        return Ref(row, name, collection.columns[name].base_type)


def paired(here: Ref, there: Ref) -> tuple[Any, Any]:
    """Two columns to compare; as text where PostgreSQL would not compare their types."""
    if here.type == there.type or _family(here.type) == _family(there.type) != "":
        return here, there
    return Text(here), Text(there)


_FAMILIES: Mapping[str, str] = {
    **dict.fromkeys(("smallint", "integer", "bigint", "numeric"), "number"),
    **dict.fromkeys(("text", "character varying", "character", "citext", "name", "bpchar"), "text"),
}


def _family(name: str) -> str:
    return _FAMILIES.get(name, "")


def function_call(step: str, collection: Collection) -> tuple[str, str] | None:
    """The function and argument of a step such as ``year(published)``; a field may be called like that, too.

    Raises:
        InvalidQuery: for parentheses that are no single call.
    """
    if ("(" not in step and ")" not in step) or step in collection.item_fields:
        return None
    match = _CALL.fullmatch(step)
    if match is None or (match[1] != "json" and ("(" in match[2] or ")" in match[2])) or not match[2]:
        raise InvalidQuery(f'Invalid function "{step}"')
    return match[1], match[2].strip()


def _stored_filter(raw: Mapping[str, Any] | None) -> Filter | None:
    if not raw:
        return None
    parsed = parse_filter(raw, depth=100, trusted=True)
    return None if parsed == EVERYTHING else parsed
