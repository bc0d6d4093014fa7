"""One command: who sends it, with which rights, as part of which request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

from domain.access.caller import SYSTEM, Caller
from domain.access.rights import ADMINISTRATOR, Rights

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Command:
    """A command's origin; every event it causes carries ``request``, and ``context`` (ip, user agent,
    origin).

    ``notes`` are members added to the ``meta`` of every event: ``{"silent": True}`` for writes that show up
    in no activity, ``{"revert": seq}``, ``{"version": id}``. ``session`` is the caller's own, which changes
    of his password leave alone; it gets into no event. ``trusted`` marks what a route of Acta made of a
    request: such a payload may hold what a client's may not. Without ``stamps`` fields that keep who changed
    an item, and when, stay as they are or as the payload says.
    """

    caller: Caller
    rights: Rights
    request: UUID
    context: int | None = None
    notes: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    session: str | None = None
    trusted: bool = False
    stamps: bool = True

    @classmethod
    def internal(cls, *, silent: bool = False) -> Command:
        """A command of Acta itself: every right, a request of its own."""
        notes = {"silent": True} if silent else _NOTHING
        return cls(SYSTEM, ADMINISTRATOR, uuid4(), None, notes)

    def noting(self, **notes: Any) -> Command:
        """The same command with more members in the ``meta`` of its events."""
        return replace(self, notes={**self.notes, **notes})

    def trusting(self) -> Command:
        """The same command with a payload that a route of Acta made; the caller's rights stay."""
        return replace(self, trusted=True)

    def unlimited(self) -> Command:
        """The same command with every right: for writes that Acta makes on behalf of the caller."""
        return replace(self, rights=ADMINISTRATOR)

    def tidying(self) -> Command:
        """As `unlimited`, for what is no change by anybody: nobody is put down as its author."""
        return replace(self, rights=ADMINISTRATOR, stamps=False)
