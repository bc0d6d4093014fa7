"""A row of the log at its position: what followers receive."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from domain.log.originator import join_originator


class Record(NamedTuple):
    """One sealed event. ``payload_text`` is JSON exactly as PostgreSQL wrote it, numbers of any size
    intact."""

    position: int
    seq: int
    at: datetime
    topic: str
    collection: str | None
    item: str | None
    actor: UUID | None
    request: UUID | None
    context: int | None
    payload_text: str | None
    meta: dict[str, Any] | None

    @property
    def payload(self) -> Any:
        """The payload parsed; numbers beyond 64 bits become floats (use ``payload_text`` where that
        matters)."""
        return None if self.payload_text is None else orjson.loads(self.payload_text)

    @property
    def originator_id(self) -> str:
        """What the event happened to."""
        return join_originator(self.collection, self.item)
