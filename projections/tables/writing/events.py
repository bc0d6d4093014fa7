"""Events of a command that are written after all of its rows: nested writes, cascades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from domain.access.command import Command
from projections.database import Connection
from projections.sql import load
from projections.tables.writing.session import origin

_EVENTS = load("writing/events")
NO_META = b'{"fields":[]}'


@dataclass(slots=True)
class Pending:
    """An event whose row is written and whose place in the log comes later; ``payload`` is JSON."""

    topic: str
    collection: str
    item: str
    payload: str | None
    meta: bytes
    written: int = 0


def in_order(events: Sequence[Pending]) -> list[Pending]:
    """The events as given, except that those of one item keep the order in which its row was written.

    Otherwise the log's fold of the item would differ from the row.
    """
    places: dict[tuple[str, str], list[int]] = {}
    for place, event in enumerate(events):
        places.setdefault((event.collection, event.item), []).append(place)
    ordered = list(events)
    for of_item in places.values():
        if len(of_item) > 1:
            by_row = sorted((events[place] for place in of_item), key=lambda event: event.written)
            for place, event in zip(of_item, by_row, strict=True):
                ordered[place] = event
    return ordered


async def append(connection: Connection, command: Command, events: Sequence[Pending]) -> None:
    """Write the events, with one statement."""
    if not events:
        return
    documents = [
        {
            "n": place,
            "topic": event.topic,
            "collection": event.collection,
            "item": event.item,
            "payload": None if event.payload is None else orjson.Fragment(event.payload),
            "meta": orjson.Fragment(event.meta),
        }
        for place, event in enumerate(events)
    ]
    actor, request, context = origin(command)
    await connection.execute(
        _EVENTS["append"],
        {"actor": actor, "request": request, "context": context, "events": orjson.dumps(documents).decode()},
    )
