"""Events of the log as what listeners are told: which items of a collection, and what became of them.

Creations come one by one, updates and deletions together for each command, in the order of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from domain.events import (
    CollectionCreated,
    CollectionDeleted,
    CollectionUpdated,
    FieldCreated,
    FieldDeleted,
    FieldUpdated,
    ItemCreated,
    ItemDeleted,
    ItemObserved,
    ItemUpdated,
    RelationCreated,
    RelationDeleted,
    RelationUpdated,
)
from domain.log.record import Record

Action = Literal["create", "update", "delete"]

_ITEMS: Mapping[str, Action] = MappingProxyType(
    {ItemCreated.TOPIC: "create", ItemUpdated.TOPIC: "update", ItemDeleted.TOPIC: "delete"}
)
_MODEL: Mapping[str, tuple[str, Action]] = MappingProxyType(
    {
        CollectionCreated.TOPIC: ("directus_collections", "create"),
        CollectionUpdated.TOPIC: ("directus_collections", "update"),
        CollectionDeleted.TOPIC: ("directus_collections", "delete"),
        FieldCreated.TOPIC: ("directus_fields", "create"),
        FieldUpdated.TOPIC: ("directus_fields", "update"),
        FieldDeleted.TOPIC: ("directus_fields", "delete"),
        RelationCreated.TOPIC: ("directus_relations", "create"),
        RelationUpdated.TOPIC: ("directus_relations", "update"),
        RelationDeleted.TOPIC: ("directus_relations", "delete"),
    }
)


@dataclass(slots=True)
class Change:
    """What became of some items of a collection.

    Attributes:
        keys: Of the items, as texts; of model objects ``collection`` or ``collection.field``.
        records: The last event of each key, in the same order.
    """

    action: Action
    collection: str
    keys: list[str] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    @property
    def position(self) -> int:
        """Of the last event in it."""
        return max((record.position for record in self.records), default=0)

    def add(self, key: str, record: Record) -> None:
        """One more item, or one more event of it."""
        if key in self.keys:
            self.records[self.keys.index(key)] = record
        else:
            self.keys.append(key)
            self.records.append(record)


def changes(records: Iterable[Record], *, moves: bool = False) -> list[Change]:
    """The changes in a piece of the log; what is not for anyone's eyes is left out.

    With ``moves`` an item that was moved to another place in its order counts as updated.
    """
    found: list[Change] = []
    together: dict[tuple[object, str, Action], Change] = {}
    for record in records:
        meta = record.meta or {}
        if (meta.get("silent") or meta.get("muted")) and not (moves and meta.get("moved")):
            continue
        place = _place(record)
        if place is None:
            continue
        collection, action, key = place
        by = (record.request, collection, action)
        change = None if action == "create" or record.request is None else together.get(by)
        if change is None:
            change = together[by] = Change(action, collection)
            found.append(change)
        change.add(key, record)
    return found


def tells_of_model(record: Record) -> bool:
    """Whether an event changed the model."""
    return record.topic in _MODEL


def _place(record: Record) -> tuple[str, Action, str] | None:
    if record.collection is None:
        return None
    if record.topic in _MODEL:
        collection, model_action = _MODEL[record.topic]
        parts = (
            (record.collection, record.item) if collection != "directus_collections" else (record.collection,)
        )
        return collection, model_action, ".".join(part for part in parts if part)
    if record.item is None:
        return None
    if record.topic == ItemObserved.TOPIC:
        told = (record.meta or {}).get("action", "update")
        return (record.collection, told, record.item) if told in _ITEMS.values() else None
    action = _ITEMS.get(record.topic)
    return None if action is None else (record.collection, action, record.item)


def submitted(record: Record) -> dict[str, Any]:
    """What was written to an item, in the form it was sent in."""
    meta, payload = record.meta or {}, record.payload or {}
    fields = meta.get("fields")
    names = payload if fields is None else [name for name in fields if name in payload]
    return {name: payload[name] for name in names} | (meta.get("submitted") or {})
