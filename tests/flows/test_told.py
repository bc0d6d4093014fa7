"""Changes of the log as flows and hooks are told of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from domain.log.changes import changes
from domain.log.record import Record
from projections.flows.runs import told

REQUEST = UUID(int=1)


def record(topic: str, collection: str, item: str | None, payload: str | None = None) -> Record:
    now = datetime.now(UTC)
    return Record(1, 1, now, topic, collection, item, None, REQUEST, None, payload, None)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([record("field.deleted", "art", "a")], {"payload": ["a"], "keys": ["a"], "collection": "art"}),
        (
            [record("field.deleted", "art", "a"), record("field.deleted", "art", "b")],
            {"payload": ["a", "b"], "keys": ["a", "b"], "collection": "art"},
        ),
        (
            [record("field.deleted", "art", "a"), record("field.deleted", "other", "b")],
            {
                "payload": ["art.a", "other.b"],
                "keys": ["art.a", "other.b"],
                "collection": "directus_fields",
            },
        ),
        ([record("relation.deleted", "art", "a")], {"payload": ["a"], "keys": ["a"], "collection": "art"}),
        (
            [record("collection.deleted", "art", None)],
            {"payload": ["art"], "keys": ["art"], "collection": "directus_collections"},
        ),
        (
            [record("item.deleted", "directus_fields", "7")],
            {"payload": ["7"], "keys": ["7"], "collection": "directus_fields"},
        ),
    ],
)
def test_what_is_told_of_the_model(records: list[Record], expected: dict[str, Any]) -> None:
    [change] = changes(records)
    assert told(change, "event", ()) == {"event": "event", **expected}
