"""How many runs of flows and calls of hooks have set each other off by the events they cause.

Each event notes it, so that a flow which causes what it listens to comes to an end, across processes too.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

from domain.log.record import Record

NOTE: Final = "chain"
LONGEST: Final = 20
chain: ContextVar[int] = ContextVar("runs and hooks that have set each other off", default=0)


def after(record: Record) -> int:
    """The length of the chain of what an event sets off."""
    found = (record.meta or {}).get(NOTE, 0)
    return found + 1 if isinstance(found, int) else 1


def notes() -> dict[str, Any]:
    """What the events of a write note of the chain they are part of."""
    length = chain.get()
    return {NOTE: length} if length else {}
