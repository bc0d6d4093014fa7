"""A record of the log as a CloudEvent 1.0 in structured JSON, and its topic, key and headers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from domain.access.secrets import masked
from domain.log import Record
from domain.log.mapper import CLASS_VERSION
from domain.model import Model

CONTENT_TYPE: Final = b"application/cloudevents+json; charset=utf-8"
SCHEMA_TOPICS: Final = ("collection.", "field.", "relation.")
DELETED: Final = "item.deleted"
# What Kafka allows in the name of a topic.
_FOREIGN: Final = re.compile(r"[^a-zA-Z0-9._-]")
LONGEST_TOPIC: Final = 249

Header = tuple[str, bytes]
Secrets = Callable[[str], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: ``value`` None is a tombstone."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Sequence[Header]


@dataclass(frozen=True, slots=True)
class Form:
    """How records become messages.

    Attributes:
        source: The URI of this server, ``source`` of every event.
        pattern: Of the topic of an item's events; ``{collection}`` in it is replaced.
        schema_topic: Where changes of the model go, and what belongs to no collection.
        tombstones: Whether a deletion is followed by a message without a value, for compacted topics.
        largest: Bytes a message may have; of a larger one the data is left out.
        secrets: The fields of a collection whose values are never sent.
    """

    source: str
    pattern: str
    schema_topic: str
    tombstones: bool
    largest: int
    secrets: Secrets

    def messages(self, record: Record) -> list[Message]:
        """The message of a record, and the tombstone after it."""
        topic, key = self.topic(record), record.originator_id.encode()
        made = [Message(topic, key, self._value(record), headers(record))]
        if self.tombstones and is_deletion(record):
            made.append(Message(topic, key, None, headers(record)))
        return made

    def topic(self, record: Record) -> str:
        """The topic of a record."""
        if record.collection is None or record.topic.startswith(SCHEMA_TOPICS):
            return self.schema_topic
        return topic_name(self.pattern, record.collection)

    def _value(self, record: Record) -> bytes:
        event = cloud_event(record, self.source)
        hidden = self.secrets(record.collection) if record.collection and record.payload_text else None
        if record.payload_text is not None:
            told = record.payload_text
            if hidden and isinstance(record.payload, dict):
                told = orjson.dumps(masked(record.payload, hidden)).decode()
            event["data"] = orjson.Fragment(told)
        value = orjson.dumps(event)
        if len(value) <= self.largest:
            return value
        del event["data"]
        return orjson.dumps(event | {"dataref": f"{self.source.rstrip('/')}/revisions/{record.seq}"})


def cloud_event(record: Record, source: str) -> dict[str, Any]:
    """The attributes; the data comes last. `sequence` is the position, dense and ordered over all topics."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(record.seq),
        "source": source,
        "type": record.topic,
        "subject": record.originator_id,
        "time": record.at,
        "datacontenttype": "application/json",
        "sequence": str(record.position),
    }
    optional = {
        "collection": record.collection,
        "item": record.item,
        "actor": record.actor,
        "request": record.request,
    }
    event |= {name: value for name, value in optional.items() if value is not None}
    return event


def headers(record: Record) -> list[Header]:
    """What a consumer may want to know without reading the value."""
    made = [
        ("content-type", CONTENT_TYPE),
        ("position", b"%d" % record.position),
        ("seq", b"%d" % record.seq),
        ("type", record.topic.encode()),
        ("version", b"%d" % (record.meta or {}).get(CLASS_VERSION, 1)),
    ]
    if record.request is not None:
        made.append(("request", str(record.request).encode()))
    return made


def is_deletion(record: Record) -> bool:
    """Whether the item is gone after this event."""
    if record.topic == "item.observed":
        return record.payload_text is None
    return record.topic == DELETED


def topic_name(pattern: str, collection: str) -> str:
    """The topic of a collection; what Kafka refuses becomes ``_`` (the key names the collection)."""
    return _FOREIGN.sub("_", pattern.replace("{collection}", collection))[:LONGEST_TOPIC]


def secret_fields(model: Model, collection: str) -> frozenset[str]:
    """The fields of a collection that hold secrets or digests of secrets."""
    found = model.collections.get(collection)
    if found is None:
        return frozenset()
    return frozenset(name for name, field in found.fields.items() if field.secret)
