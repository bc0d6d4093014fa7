"""A record of the log as a CloudEvent 1.0 in structured JSON, and its topic, key and headers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

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
NAMES_KEPT: Final = 10_000

Header = tuple[str, bytes]
Secrets = Callable[[str], frozenset[str]]


class Message(NamedTuple):
    """What is sent: ``value`` None is a tombstone."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[Header]


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
        topic, subject = self.topic(record), record.originator_id
        key = subject.encode()
        made = [Message(topic, key, self._value(record, subject), headers(record))]
        if self.tombstones and is_deletion(record):
            made.append(Message(topic, key, None, headers(record)))
        return made

    def topic(self, record: Record) -> str:
        """The topic of a record."""
        if record.collection is None or record.topic.startswith(SCHEMA_TOPICS):
            return self.schema_topic
        return topic_name(self.pattern, record.collection)

    def _value(self, record: Record, subject: str) -> bytes:
        event = cloud_event(record, self.source, subject)
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


def cloud_event(record: Record, source: str, subject: str) -> dict[str, Any]:
    """The attributes; the data comes last. `sequence` is the position, dense and ordered over all topics."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(record.seq),
        "source": source,
        "type": record.topic,
        "subject": subject,
        "time": record.at,
        "datacontenttype": "application/json",
        "sequence": str(record.position),
    }
    # One after the other: this runs for every event of a backlog.
    if record.collection is not None:
        event["collection"] = record.collection
    if record.item is not None:
        event["item"] = record.item
    if record.actor is not None:
        event["actor"] = record.actor
    if record.request is not None:
        event["request"] = record.request
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
        # By far the fastest way to the text of a UUID.
        made.append(("request", orjson.dumps(record.request)[1:-1]))
    return made


def is_deletion(record: Record) -> bool:
    """Whether the item is gone after this event."""
    if record.topic == "item.observed":
        return record.payload_text is None
    return record.topic == DELETED


@lru_cache(maxsize=NAMES_KEPT)
def topic_name(pattern: str, collection: str) -> str:
    """The topic of a collection; what Kafka refuses becomes ``_`` (the key names the collection)."""
    return _FOREIGN.sub("_", pattern.replace("{collection}", collection))[:LONGEST_TOPIC]


def secret_fields(model: Model, collection: str) -> frozenset[str]:
    """The fields of a collection that hold secrets or digests of secrets."""
    found = model.collections.get(collection)
    if found is None:
        return frozenset()
    return frozenset(name for name, field in found.fields.items() if field.secret)
