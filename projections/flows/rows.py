"""The rows that events of the log are in activity and revisions, told as ``activity.create`` and
``revisions.create``.

What the views don't show is not told, nor what was done without telling anybody. The row of a run that an
event has set off is not for flows: each of its listeners would be told of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from domain.events import FlowRan
from domain.log.record import Record
from projections.database import Connection
from projections.flows.chain import NOTE
from projections.sql import load

SQL: Final = load("flows/rows")
Kind = Literal["activity", "revisions"]
EVENTS: Final[Mapping[str, Kind]] = MappingProxyType(
    {"activity.create": "activity", "revisions.create": "revisions"}
)
_UNTOLD: Final = frozenset({"silent", "muted", "cause"})


@dataclass(frozen=True, slots=True)
class Row:
    """What listeners are told of a row: event, payload, key, collection; and the event that it is."""

    kind: Kind
    record: Record
    told: dict[str, Any]

    @property
    def of_chained_run(self) -> bool:
        """Whether it says that a flow ran which an event had set off."""
        return self.record.topic == FlowRan.TOPIC and NOTE in (self.record.meta or {})


async def rows(connection: Connection, records: Sequence[Record], wanted: Callable[[str], Any]) -> list[Row]:
    """The rows of events, in their order, as far as somebody listens to ``activity.create`` and
    ``revisions.create``; secrets are masked."""
    events = [event for event in EVENTS if wanted(event)]
    if not events:
        return []
    shown = {record.seq: record for record in records if _UNTOLD.isdisjoint(record.meta or {})}
    found: list[Row] = []
    for event in events:
        kind = EVENTS[event]
        cursor = await connection.execute(SQL[kind], {"seqs": list(shown)})
        for seq, row in await cursor.fetchall():
            told = {"event": event, "payload": row, "key": seq, "collection": f"directus_{kind}"}
            found.append(Row(kind, shown[seq], told))
    return sorted(found, key=lambda row: row.record.position)
