"""Who sends a command or query."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Caller:
    """The accountability of one request; the same value serves dynamic variables and the log.

    ``user`` and ``role`` are None for anonymous callers; ``roles`` runs from the oldest ancestor
    to the caller's own role; ``admin`` and ``app`` are the union over ``policies``.
    """

    user: UUID | None = None
    role: UUID | None = None
    roles: tuple[UUID, ...] = ()
    policies: tuple[UUID, ...] = ()
    admin: bool = False
    app: bool = False
    share: UUID | None = None
    ip: str | None = None
    user_agent: str | None = None
    origin: str | None = None


SYSTEM = Caller(admin=True)
"""Acta itself: start-up, followers, command line."""
