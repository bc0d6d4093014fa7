"""What all events have in common, and how an event's own fields become the payload of its row.

An event is a frozen dataclass on the event protocol of `eventsourcing`: it has an originator and a version,
its ``TOPIC`` is its stable name in the log, and when its fields change, ``class_version`` grows and a
static method ``upcast_v1_v2(state)`` brings older states up to date while they are read. Rows are never
rewritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Event:
    """The envelope of every event.

    Attributes:
        originator_id: What the event happened to: ``articles/5`` (see `domain.log.originator`).
        originator_version: Its number among the events of the originator; given on reading, dense, from 1.
        at: When, by the database's clock; None until it is in the log.
        actor: The user who caused it, None for anonymous callers and Acta itself.
        request: Shared by all events of one command.
        context: The row of ``acta.requests`` with address, user agent and origin.
        meta: Circumstances, never values that state is made from (see docs/log.md).
    """

    TOPIC: ClassVar[str] = ""
    WHOLE: ClassVar[str | None] = None
    class_version: ClassVar[int] = 1

    originator_id: str
    originator_version: int = 0
    at: datetime | None = None
    actor: UUID | None = None
    request: UUID | None = None
    context: int | None = None
    meta: Values | None = None

    def payload(self) -> Values | None:
        """The own fields as the row's payload; None for events that say all by happening."""
        if self.WHOLE is not None:
            whole: Values | None = getattr(self, self.WHOLE)
            return whole
        return {name: getattr(self, name) for name in self.own_fields()} or None

    @classmethod
    def spread(cls, payload: Values | None) -> dict[str, Any]:
        """The own fields' values out of a row's payload: the opposite of `payload`."""
        return {cls.WHOLE: payload} if cls.WHOLE is not None else dict(payload or {})

    @classmethod
    def own_fields(cls) -> tuple[str, ...]:
        """The names of the fields that are not the envelope's."""
        return tuple(field.name for field in fields(cls) if field.name not in ENVELOPE)


ENVELOPE = frozenset(field.name for field in fields(Event))
