"""Content versions: changes to an item that wait, told apart from what the item is now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from domain.errors import InvalidPayload
from domain.items.secrets import secrets_in
from domain.model.schema import Collection, Model

Item = dict[str, Any]
USER, DATE = "_user", "_date"
"""Who saved a version last, and when: kept among its changes."""


def content_of(item: Mapping[str, Any] | None) -> bytes:
    """What tells one state of an item from another."""
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


def check_changes(model: Model, collection: Collection, changes: Any) -> Item:
    """Changes as they may be kept.

    Raises:
        InvalidPayload: for what is no object, or holds a secret, which would be kept in clear.
    """
    if not isinstance(changes, dict):
        raise InvalidPayload('"value" must be of type object')
    for path, _ in secrets_in(model, collection.name, changes):
        raise InvalidPayload(f'"{".".join(path)}" holds a secret and can\'t be part of a version')
    return changes


def to_write(collection: Collection, delta: Mapping[str, Any] | None) -> Item:
    """The kept changes that are some of the item's fields."""
    return {
        name: value
        for name, value in (delta or {}).items()
        if name in collection.fields and name not in collection.primary_key
    }


def changes_of(collection: Collection, delta: Mapping[str, Any] | None) -> Item:
    """The kept changes as those of the item, and who changed it last where fields tell that."""
    given, found = delta or {}, to_write(collection, delta)
    for name, field in collection.fields.items():
        for special, marker in (("user-updated", USER), ("date-updated", DATE)):
            if special in field.special and marker in given:
                found[name] = given[marker]
    return found


def with_key(collection: Collection, item: str, changes: Mapping[str, Any]) -> Item:
    """Changes together with the key as text."""
    key = {collection.primary_key[0]: item} if len(collection.primary_key) == 1 else {}
    return {**key, **changes}


def without_new_keys(
    model: Model, collection: Collection, value: Any, created: Iterable[tuple[str, str]]
) -> Any:
    """An item with null for the keys of those nested in it that are not there yet."""
    return _cleaned(model, collection.name, value, frozenset(created))


def _cleaned(model: Model, name: str, value: Any, created: frozenset[tuple[str, str]]) -> Any:
    if isinstance(value, list):
        return [_cleaned(model, name, entry, created) for entry in value]
    if not isinstance(value, dict):
        return None if (name, str(value)) in created else value
    collection = model.collections[name]
    key = collection.primary_key[0] if len(collection.primary_key) == 1 else None
    found: Item = {}
    for member, entry in value.items():
        target = _target(model, name, member, value)
        if member == key and (name, str(entry)) in created:
            found[member] = None
        else:
            found[member] = entry if target is None else _cleaned(model, target, entry, created)
    return found


def _target(model: Model, name: str, member: str, item: Mapping[str, Any]) -> str | None:
    """The collection that a member leads to; None where nothing tells."""
    side = model.side(name, member)
    if side is None:
        return None
    relation = side.relation
    if side.kind == "o2m":
        return relation.collection
    if side.kind == "m2o" or relation.meta is None:
        return relation.related
    named = item.get(relation.meta.one_collection_field or "")
    return named if isinstance(named, str) and named in model.collections else None
