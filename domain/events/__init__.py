"""What may ever stand in the log: one class per kind of event, by family. Described in docs/log.md."""

from collections.abc import Mapping
from types import MappingProxyType

from eventsourcing.utils import register_topic

from domain.events.base import Event
from domain.events.definitions import (
    CollectionCreated,
    CollectionDeleted,
    CollectionRenamed,
    CollectionUpdated,
    FieldCreated,
    FieldDeleted,
    FieldRenamed,
    FieldUpdated,
    RelationCreated,
    RelationDeleted,
    RelationUpdated,
)
from domain.events.items import (
    ItemAdopted,
    ItemCreated,
    ItemDeleted,
    ItemObserved,
    ItemUpdated,
    VersionSaved,
)
from domain.events.system import FlowRan, LogRedacted, PastActivity, UserLoggedIn, UserLoggedOut

__all__ = [
    "EVENTS",
    "CollectionCreated",
    "CollectionDeleted",
    "CollectionRenamed",
    "CollectionUpdated",
    "Event",
    "FieldCreated",
    "FieldDeleted",
    "FieldRenamed",
    "FieldUpdated",
    "FlowRan",
    "ItemAdopted",
    "ItemCreated",
    "ItemDeleted",
    "ItemObserved",
    "ItemUpdated",
    "LogRedacted",
    "PastActivity",
    "RelationCreated",
    "RelationDeleted",
    "RelationUpdated",
    "UserLoggedIn",
    "UserLoggedOut",
    "VersionSaved",
]

EVENTS: Mapping[str, type[Event]] = MappingProxyType(
    {
        event.TOPIC: event
        for event in (
            ItemCreated,
            ItemUpdated,
            ItemDeleted,
            ItemAdopted,
            ItemObserved,
            CollectionCreated,
            CollectionUpdated,
            CollectionDeleted,
            CollectionRenamed,
            FieldCreated,
            FieldUpdated,
            FieldDeleted,
            FieldRenamed,
            RelationCreated,
            RelationUpdated,
            RelationDeleted,
            LogRedacted,
            FlowRan,
            UserLoggedIn,
            UserLoggedOut,
            VersionSaved,
            PastActivity,
        )
    }
)
"""Every kind of event by its topic."""

for _topic, _event in EVENTS.items():
    register_topic(_topic, _event)
