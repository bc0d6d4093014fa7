"""A JSON Schema of every kind of event, and an AsyncAPI 3 document of all topics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from domain.events import EVENTS
from domain.model import Collection, Field
from domain.streams.cloud_events import topic_name

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
WHOLE: Final = frozenset({"item.created", "item.adopted"})
_TYPES: Final[dict[str, dict[str, Any]]] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "bigInteger": {"type": "integer"},
    "float": {"type": "number"},
    "decimal": {"type": "number"},
    "uuid": {"type": "string", "format": "uuid"},
    "date": {"type": "string", "format": "date"},
    "json": {},
    "geometry": {},
    "unknown": {},
}


def document(
    collections: Iterable[Collection],
    *,
    version: str,
    pattern: str,
    schema_topic: str,
    servers: Iterable[str],
) -> dict[str, Any]:
    """The AsyncAPI 3 document of the topics of some collections."""
    channels: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for collection in collections:
        address = topic_name(pattern, collection.name)
        names = [f"{collection.name}.{topic}" for topic in item_topics()]
        for name, topic in zip(names, item_topics(), strict=True):
            messages[name] = _message(name, topic, _data(collection, topic))
        channel = channels.setdefault(_name(address), {"address": address, "messages": {}})
        channel["messages"] |= {name: _reference("messages", name) for name in names}
    others = [topic for topic in EVENTS if topic not in item_topics()]
    for topic in others:
        messages[topic] = _message(topic, topic, {})
    channel = channels.setdefault(_name(schema_topic), {"address": schema_topic, "messages": {}})
    channel["messages"] |= {topic: _reference("messages", topic) for topic in others}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Acta",
            "version": version,
            "description": "Every change of items and model, in order per key, as CloudEvents 1.0.",
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {
            f"kafka{number}": {"host": host, "protocol": "kafka"} for number, host in enumerate(servers, 1)
        },
        "channels": channels,
        "operations": {
            name: {"action": "send", "channel": {"$ref": f"#/channels/{name}"}} for name in channels
        },
        "components": {"messages": messages},
    }


def value_schemas(
    collections: Iterable[Collection], pattern: str, schema_topic: str
) -> dict[str, dict[str, Any]]:
    """The JSON Schema of all messages of each topic, which is one of those of its kinds of events."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for collection in collections:
        entries = kinds.setdefault(topic_name(pattern, collection.name), [])
        for topic in item_topics():
            schema = event_schema(topic, _data(collection, topic))
            schema["properties"]["collection"] = {"const": collection.name}
            entries.append(schema)
    others = [event_schema(topic, {}) for topic in EVENTS if topic not in item_topics()]
    kinds.setdefault(schema_topic, []).extend(others)
    return {
        topic: {
            "$schema": DRAFT,
            "title": topic,
            "oneOf": [{name: part for name, part in entry.items() if name != "$schema"} for entry in entries],
        }
        for topic, entries in kinds.items()
    }


def item_topics() -> list[str]:
    """The kinds of events that happen to items."""
    return [topic for topic in EVENTS if topic.startswith("item.")]


def event_schema(topic: str, data: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a CloudEvent of a kind."""
    text = {"type": "string"}
    return {
        "$schema": DRAFT,
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "sequence"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "source": {"type": "string", "format": "uri-reference"},
            "type": {"const": topic},
            "subject": text,
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "sequence": {"type": "string", "pattern": "^[0-9]+$", "description": "position in the log"},
            "collection": text,
            "item": text,
            "actor": {"type": "string", "format": "uuid"},
            "request": {"type": "string", "format": "uuid"},
            "dataref": {"type": "string", "description": "where data is that was too large to send"},
            "data": data,
        },
    }


def _message(name: str, topic: str, data: dict[str, Any]) -> dict[str, Any]:
    known = EVENTS[topic]
    return {
        "name": name,
        "title": topic,
        "summary": (known.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/cloudevents+json",
        "payload": event_schema(topic, data),
        "bindings": {"kafka": {"key": {"type": "string", "description": "collection/item"}}},
    }


def _data(collection: Collection, topic: str) -> dict[str, Any]:
    if topic == "item.deleted":
        return {"type": "null"}
    fields = {name: field for name, field in collection.fields.items() if field.column is not None}
    schema: dict[str, Any] = {
        "type": "object" if topic != "item.observed" else ["object", "null"],
        "properties": {name: _field(field) for name, field in fields.items()},
    }
    if topic in WHOLE:
        schema["required"] = sorted(fields)
    return schema


def _field(field: Field) -> dict[str, Any]:
    schema = dict(_TYPES.get(field.type, {"type": "string"}))
    nullable = field.column is None or field.column.nullable
    if nullable and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    if field.column is not None and field.column.max_length and field.type == "string":
        schema["maxLength"] = field.column.max_length
    return schema


def _name(address: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in address)


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name.replace('~', '~0').replace('/', '~1')}"}
