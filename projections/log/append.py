"""Append events that are made in Python: of the model, of log-ins, of the log itself.

Item events are appended by the statement that writes the row (projections/tables/writing), into the same
columns.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.types.json import Jsonb

from domain.events import Event
from domain.log.mapper import envelope
from domain.log.originator import split_originator
from projections.database import Connection
from projections.sql import load

SQL = load("log/append")


async def append(connection: Connection, events: Sequence[Event]) -> list[int]:
    """Append events inside the open transaction of a connection; gives their ``seq``, in order.

    What the events tell has to be done before, in the same transaction. ``at`` is the database's.
    """
    if not events:
        return []
    cursor = await connection.execute(SQL["append"], {"events": Jsonb([_row(event) for event in events])})
    return [seq for (seq,) in await cursor.fetchall()]


def _row(event: Event) -> dict[str, object]:
    collection, item = split_originator(event.originator_id)
    state = envelope(event)
    state.pop("at", None)
    return {"topic": event.TOPIC, "collection": collection, "item": item, **state}
