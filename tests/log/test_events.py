"""Every kind of event that was ever released can be read, is registered and is documented."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import pytest
from eventsourcing.persistence import MapperDeserialisationError, StoredEvent
from eventsourcing.utils import get_topic, register_topic, resolve_topic

from domain.events import EVENTS, Event, ItemUpdated
from domain.log import LogMapper, OrjsonTranscoder, join_originator, split_originator

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))
MAPPER = LogMapper(OrjsonTranscoder())


def stored(row: dict[str, Any]) -> StoredEvent:
    state = {key: row.get(key) for key in ("at", "actor", "request", "context", "payload", "meta")}
    return StoredEvent(
        join_originator(row["collection"], row["item"]), 3, row["topic"], json.dumps(state).encode()
    )


def expected(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    """A file holds a row as it was written once and the event it must always become."""
    golden = json.loads(path.read_text())
    event = MAPPER.to_domain_event(stored(golden["row"]))
    assert isinstance(event, Event)
    assert type(event).__name__ == golden["event"]["class"]
    assert {field.name: expected(getattr(event, field.name)) for field in fields(event)} == golden["event"][
        "fields"
    ]


@pytest.mark.parametrize("topic", EVENTS)
def test_each_event_has_a_golden_file_of_its_version(topic: str) -> None:
    versions = {path.stem for path in GOLDEN}
    for version in range(1, EVENTS[topic].class_version + 1):
        assert f"{topic}.v{version}" in versions


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_there_and_back_again(path: Path) -> None:
    event = MAPPER.to_domain_event(stored(json.loads(path.read_text())["row"]))
    assert MAPPER.to_domain_event(MAPPER.to_stored_event(event)) == event


@pytest.mark.parametrize("topic", EVENTS)
def test_topics_are_registered(topic: str) -> None:
    assert resolve_topic(topic) is EVENTS[topic]
    assert get_topic(EVENTS[topic]) == topic


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.TOPIC)
def test_fields_are_documented(event: type[Event]) -> None:
    assert event.__doc__
    for name in event.own_fields():
        assert f"        {name}: " in event.__doc__


@pytest.fixture
def second_version() -> type[ItemUpdated]:
    @dataclass(frozen=True, kw_only=True)
    class ItemUpdatedTwo(ItemUpdated):
        class_version: ClassVar[int] = 3
        note: str = "new"

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            state["note"] = "of version 1"

        @staticmethod
        def upcast_v2_v3(state: dict[str, Any]) -> None:
            state["note"] += ", then 2"

    register_topic("test.updated", ItemUpdatedTwo)
    return ItemUpdatedTwo


def test_older_versions_are_upcast(second_version: type[ItemUpdated]) -> None:
    row: dict[str, Any] = {"topic": "test.updated", "collection": "a", "item": "1", "payload": {"x": 1}}
    event = MAPPER.to_domain_event(stored(row))
    assert isinstance(event, second_version)
    assert (event.values, event.meta, vars(event)["note"]) == ({"x": 1}, None, "of version 1, then 2")
    row["meta"] = {"class_version": 3, "fields": []}
    noted = MAPPER.to_domain_event(stored(row))
    assert isinstance(noted, second_version)
    assert (noted.meta, vars(noted)["note"]) == ({"fields": []}, "new")


@pytest.mark.parametrize(
    "state", [b"\xff", b"[]", b'{"payload": {}}', b'{"payload": {"values": 1}, "at": "x"}']
)
def test_what_is_no_event_is_an_error(state: bytes) -> None:
    with pytest.raises(MapperDeserialisationError, match=r"field\.created of articles"):
        MAPPER.to_domain_event(StoredEvent("articles", 1, "field.created", state))


@pytest.mark.parametrize(
    ("collection", "item", "text"),
    [
        ("articles", "5", "articles/5"),
        ("articles", None, "articles"),
        ("a/b%c", "d/e%2F", "a%2Fb%25c/d/e%2F"),
        ("articles", "", "articles/"),
    ],
)
def test_originators(collection: str, item: str | None, text: str) -> None:
    assert join_originator(collection, item) == text
    assert split_originator(text) == (collection, item)


def test_every_event_is_described() -> None:
    text = (Path(__file__).parents[2] / "docs" / "log.md").read_text()
    assert [topic for topic in EVENTS if f"`{topic}`" not in text] == []
