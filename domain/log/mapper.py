"""Between rows of the log and events: `eventsourcing`'s mapper over an envelope that mirrors the columns.

The state of a stored event is the JSON object ``{"at", "actor", "request", "context", "payload", "meta"}``.
An event class of a version above 1 notes it in ``meta.class_version``; rows without that note are of
version 1 and pass through the class's upcasts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, MapperDeserialisationError, StoredEvent, Transcoder
from eventsourcing.utils import get_topic, resolve_topic

from domain.events import Event

CLASS_VERSION = "class_version"


class OrjsonTranscoder(Transcoder):
    """JSON without type marks: UUIDs and times are texts, as in the columns."""

    def encode(self, obj: Any) -> bytes:
        """An object as JSON."""
        return orjson.dumps(obj)

    def decode(self, data: bytes) -> Any:
        """JSON as an object."""
        return orjson.loads(data)


class LogMapper(Mapper[str]):
    """Maps our events; everything else about the library's mapper (compressor, cipher) stays."""

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """An event as the library stores it."""
        event = cast("Event", domain_event)
        state = self.transcoder.encode(envelope(event))
        if self.compressor:
            state = self.compressor.compress(state)
        if self.cipher:
            state = self.cipher.encrypt(state)
        return StoredEvent(event.originator_id, event.originator_version, get_topic(type(event)), state)

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """The event of a stored one, upcast to its class's present version."""
        cls: type[Event] = resolve_topic(stored_event.topic)
        try:
            state = stored_event.state
            if self.cipher:
                state = self.cipher.decrypt(state)
            if self.compressor:
                state = self.compressor.decompress(state)
            event = cls(
                originator_id=str(stored_event.originator_id),
                originator_version=stored_event.originator_version,
                **_fields(cls, self.transcoder.decode(state)),
            )
        except Exception as error:
            raise MapperDeserialisationError(
                f"Failed to deserialise {stored_event.topic} of {stored_event.originator_id}, "
                f"version {stored_event.originator_version}: {error}"
            ) from error
        return cast("DomainEventProtocol[str]", event)


def envelope(event: Event) -> dict[str, Any]:
    """An event's state in the shape of its row; ``at`` is left out while the log has not given it."""
    meta = dict(event.meta or {})
    if event.class_version > 1:
        meta[CLASS_VERSION] = event.class_version
    state: dict[str, Any] = {
        "actor": event.actor,
        "request": event.request,
        "context": event.context,
        "payload": event.payload(),
        "meta": meta or None,
    }
    return state if event.at is None else {"at": event.at, **state}


def _fields(cls: type[Event], state: dict[str, Any]) -> dict[str, Any]:
    meta = dict(state.get("meta") or {})
    version = meta.pop(CLASS_VERSION, 1)
    fields = {
        "at": _optional(datetime.fromisoformat, state.get("at")),
        "actor": _optional(UUID, state.get("actor")),
        "request": _optional(UUID, state.get("request")),
        "context": state.get("context"),
        "meta": meta or None,
        **cls.spread(state["payload"]),
    }
    while version < cls.class_version:
        getattr(cls, f"upcast_v{version}_v{version + 1}")(fields)
        version += 1
    return fields


def _optional(convert: Any, value: Any) -> Any:
    return None if value is None else convert(value)
