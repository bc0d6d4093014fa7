"""What the holder of a share may read: an item and what hangs on it, as far as author and role both may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.access.permissions import Row, rights_of
from domain.access.rights import ADMINISTRATOR, Rights, Rule
from domain.model.schema import Model

Filter = Mapping[str, Any]
FREE = ("directus_collections", "directus_fields", "directus_relations", "directus_translations")
_EVERYTHING = Rule(fields=None)
_NO_FIELD = Rule(fields=frozenset())


@dataclass(frozen=True, slots=True)
class Lookup:
    """Rows that no filter reaches: their keys stand at the end of a path of fields from the shared item."""

    path: tuple[str, ...]
    collection: str


@dataclass(slots=True)
class Reach:
    """Per collection, the conditions of which a row meets one when it hangs on the shared item."""

    filters: dict[str, list[Filter]] = field(default_factory=dict)
    lookups: list[Lookup] = field(default_factory=list)


def base_rules(collection: str, author: Rights, role: Rights) -> tuple[Rule, ...]:
    """The rules for reading a collection that both the author and the role of a share have."""
    if author.admin and role.admin:
        return (_EVERYTHING,)
    if author.admin:
        return role.of(collection, "read")
    if role.admin:
        return author.of(collection, "read")
    return tuple(
        Rule(fields=_common(one.fields, other.fields), filter=_both(one.filter, other.filter))
        for one in author.of(collection, "read")
        for other in role.of(collection, "read")
    )


def reach_of(model: Model, author: Rights, role: Rights, collection: str, item: str) -> Reach:
    """What hangs on an item, over relations both of whose fields can be read."""
    found = Reach()
    start = model.collections.get(collection)
    if start is not None and len(start.primary_key) == 1:
        walk = _Walk(model, author, role, found)
        walk.visit(collection, {start.primary_key[0]: {"_eq": item}}, (), (collection,))
    return found


def share_rights(
    author: Rights, role: Rights, collection: str, filters: Mapping[str, Sequence[Filter]]
) -> Rights:
    """The rights of a share whose reach is known."""
    everything = author.admin and role.admin
    fields = None if everything else _union(base_rules(collection, author, role))
    rows: list[Row] = [_row(name, _EVERYTHING, {}) for name in FREE]
    for name, conditions in filters.items():
        rules = base_rules(name, author, role)
        if not rules and name == collection and base_rules(name, author, ADMINISTRATOR):
            # A share whose role may see no field still tells that its item is there.
            rules = (_NO_FIELD,)
        for rule in rules:
            # The reference lets a related collection show only fields named like the shared item's.
            limited = Rule(fields=_common(rule.fields, fields), filter=rule.filter)
            rows += [_row(name, limited, condition) for condition in conditions]
    return rights_of(rows, {})


@dataclass(frozen=True, slots=True)
class _Walk:
    model: Model
    author: Rights
    role: Rights
    found: Reach

    def visit(self, name: str, condition: Filter, path: tuple[str, ...], seen: tuple[str, ...]) -> None:
        self.found.filters.setdefault(name, []).append(condition)
        for other, their, here in self._children(name):
            if other not in seen and self._readable(name, here) and self._readable(other, their):
                self.visit(other, {their: condition}, (*path, here), (*seen, other))
        for here, other, back in self._targets(name):
            if other in seen or not self._readable(name, here):
                continue
            if back is None:
                self.found.lookups.append(Lookup((*path, here), other))
            elif self._readable(other, back):
                self.visit(other, {back: {"_some": condition}}, (*path, here), (*seen, other))

    def _children(self, name: str) -> Iterator[tuple[str, str, str]]:
        for relation in self.model.relations:
            if relation.related == name and relation.one_field:
                yield relation.collection, relation.field, relation.one_field

    def _targets(self, name: str) -> Iterator[tuple[str, str, str | None]]:
        for relation in self.model.relations:
            if relation.collection == name and relation.related is not None:
                yield relation.field, relation.related, relation.one_field

    def _readable(self, collection: str, name: str) -> bool:
        return any(rule.covers(name) for rule in base_rules(collection, self.author, self.role))


def _row(collection: str, rule: Rule, condition: Filter) -> Row:
    return {
        "collection": collection,
        "action": "read",
        "permissions": _both(rule.filter, condition) or {},
        "validation": None,
        "presets": None,
        "fields": ["*"] if rule.fields is None else sorted(rule.fields),
    }


def _both(one: Filter | None, other: Filter | None) -> Filter | None:
    if one and other:
        return {"_and": [one, other]}
    return one or other or None


def _common(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _union(rules: Sequence[Rule]) -> frozenset[str] | None:
    if any(rule.fields is None for rule in rules):
        return None
    return frozenset(name for rule in rules for name in rule.fields or ())
