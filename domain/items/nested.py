"""Relational members of a payload, read into what they ask for; no rights, no keys of other rows yet.

A to-one member that is an object asks for that item to be there, with those values (``ToOne``). A to-many
member is the complete new set (an array), or a list of changes (``create``, ``update``, ``delete``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.errors import InvalidPayload
from domain.items.shape import Shape
from domain.model import Collection, Relation, Side

_CHANGES = frozenset({"create", "update", "delete"})

Payload = dict[str, Any]
Key = str | int | float


@dataclass(frozen=True, slots=True)
class ToOne:
    """The item that a foreign key of this one shall point to, to be created or changed first."""

    field: str
    collection: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class ToMany:
    """Rows that shall point to this item.

    ``saves`` are created, or changed where their key is there; ``updates`` have to be there; ``attached`` are
    keys. With ``complete`` every other row that points here is detached, without it those of ``removed``.
    ``sorted`` tells that new rows are put at the end of the relation's order.
    """

    field: str
    relation: Relation
    creates: Sequence[Payload] = ()
    saves: Sequence[Payload] = ()
    updates: Sequence[Payload] = ()
    attached: Sequence[Key] = ()
    removed: Sequence[Key] = ()
    complete: bool = False
    sorted: bool = False


Nested = ToOne | ToMany


def is_nested(shape: Shape, payload: Mapping[str, Any]) -> bool:
    """Whether a payload touches other items than its own."""
    sides = shape.sides
    if not sides:
        return False
    for name, value in payload.items():
        side = sides.get(name)
        if side is not None and (side.kind == "o2m" or isinstance(value, dict | list)):
            return True
    return False


def split(shape: Shape, payload: Mapping[str, Any]) -> tuple[Payload, list[Nested]]:
    """The members that are the item's own, and what the others ask for; to-one before to-many.

    Raises:
        InvalidPayload: for members that are no form of a relation.
    """
    own: Payload = {}
    to_one: list[Nested] = []
    to_many: list[Nested] = []
    for name, value in payload.items():
        side = shape.sides.get(name)
        if side is None:
            own[name] = value
        elif side.kind == "o2m":
            to_many.append(_to_many(shape, name, side.relation, value))
        elif isinstance(value, dict | list):
            to_one.append(_to_one(shape, side, value, payload))
        else:
            own[name] = value
    return own, to_one + to_many


def _to_one(shape: Shape, side: Side, value: Any, payload: Mapping[str, Any]) -> ToOne:
    name = side.relation.field
    target = _any_target(shape, side, payload) if side.kind == "a2o" else str(side.relation.related)
    found = shape.model.collection(target)
    if found is None or len(found.primary_key) != 1:
        raise InvalidPayload(f'Field "{name}" in collection "{shape.name}" can\'t hold an item, only a key')
    # An array counts as an empty object: the reference creates an empty item for it, and clients rely on it.
    return ToOne(name, target, dict(value) if isinstance(value, dict) else {})


def _any_target(shape: Shape, side: Side, payload: Mapping[str, Any]) -> str:
    meta = side.relation.meta
    chooser = meta.one_collection_field if meta is not None else None
    target = payload.get(chooser) if chooser is not None else None
    if not isinstance(target, str):
        raise InvalidPayload(f'Field "{chooser}" has to name the collection of "{side.relation.field}"')
    if meta is None or target not in (meta.one_allowed_collections or ()):
        raise InvalidPayload(f'"{target}" is not allowed as the collection of "{side.relation.field}"')
    return target


def _to_many(shape: Shape, name: str, relation: Relation, value: Any) -> ToMany:
    child = shape.model.collection(relation.collection)
    if child is None or not child.primary_key:
        raise InvalidPayload(f'Field "{name}" in collection "{shape.name}" can\'t be written')
    if value is None:
        value = []
    if isinstance(value, list):
        return _complete_set(name, relation, child, value)
    if not isinstance(value, dict) or not value.keys() <= _CHANGES:
        raise _malformed(name)
    lists = {kind: [] if value.get(kind) is None else value[kind] for kind in _CHANGES}
    if not all(isinstance(entries, list) for entries in lists.values()):
        raise _malformed(name)
    if not all(isinstance(entry, dict) for kind in ("create", "update") for entry in lists[kind]):
        raise _malformed(name)
    if not all(_has_key(child, entry) for entry in lists["update"]):
        raise InvalidPayload(f'Every item in "{name}.update" has to carry its primary key')
    if not all(_is_key(entry) for entry in lists["delete"]):
        raise _malformed(name)
    return ToMany(
        name, relation, creates=lists["create"], updates=lists["update"], removed=lists["delete"], sorted=True
    )


def _complete_set(name: str, relation: Relation, child: Collection, entries: Sequence[Any]) -> ToMany:
    attached = [entry for entry in entries if _is_key(entry)]
    objects = [entry for entry in entries if isinstance(entry, dict)]
    if len(attached) + len(objects) != len(entries):
        raise _malformed(name)
    return ToMany(
        name,
        relation,
        creates=[entry for entry in objects if not _has_key(child, entry)],
        saves=[entry for entry in objects if _has_key(child, entry)],
        attached=attached,
        complete=True,
    )


def _is_key(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _has_key(collection: Collection, payload: Mapping[str, Any]) -> bool:
    return all(payload.get(name) is not None for name in collection.primary_key)


def _malformed(name: str) -> InvalidPayload:
    return InvalidPayload(f'Field "{name}" has to be an array, or an object of "create", "update", "delete"')
