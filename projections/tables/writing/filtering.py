"""Where writes are shown to whoever may change or refuse them: before rules and rights are applied, inside
the transaction of the write, nested items included.

Writes that Acta makes for itself (``silent``) and those of operations that don't emit (``muted``) are not
shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from domain.access.caller import Caller
from domain.access.command import Command
from domain.items.shape import Shape
from domain.model.keys import key_text
from projections.database import Connection

Action = Literal["create", "update", "delete"]
Payload = dict[str, Any]


class Filters(Protocol):
    """Whoever is asked; `projections.emitter`."""

    async def listens(self, collection: str, action: Action) -> bool:
        """Whether anybody is, about such a write."""

    async def payload(
        self,
        connection: Connection,
        caller: Caller | None,
        collection: str,
        action: Action,
        payload: Mapping[str, Any],
        keys: Sequence[str] | None = None,
    ) -> Payload:
        """What is to be written instead of a payload."""

    async def promoted(
        self,
        connection: Connection,
        caller: Caller | None,
        collection: str,
        item: str,
        version: str,
        payload: Mapping[str, Any],
    ) -> Payload:
        """What of a content version is to be written into its item."""

    async def keys(
        self, connection: Connection, caller: Caller | None, collection: str, keys: Sequence[str]
    ) -> list[Any]:
        """What is to be deleted instead of these items."""


@dataclass
class Filtering:
    """The filters of all commands; none until some are set."""

    filters: Filters | None = None

    async def listens(self, command: Command, collection: str, action: Action) -> bool:
        """Whether a write has to be shown to anybody."""
        if self.filters is None or command.notes.get("silent") or command.notes.get("muted"):
            return False
        return await self.filters.listens(collection, action)

    async def created(
        self, connection: Connection, command: Command, collection: str, payloads: Sequence[Payload]
    ) -> list[Payload]:
        """The payloads of new items, each shown by itself."""
        ask = self._asked().payload
        return [await ask(connection, command.caller, collection, "create", payload) for payload in payloads]

    async def updated(
        self,
        connection: Connection,
        command: Command,
        collection: str,
        payload: Payload,
        keys: Sequence[str],
    ) -> Payload:
        """The payload of one change to all of the keys."""
        return await self._asked().payload(connection, command.caller, collection, "update", payload, keys)

    async def updated_each(
        self, connection: Connection, command: Command, shape: Shape, payloads: Sequence[Payload]
    ) -> list[Payload]:
        """Changes whose keys stand in their payloads, and stay there."""
        found: list[Payload] = []
        for payload in payloads:
            key = shape.key_in(payload)
            keys = [] if key is None else [key]
            changed = await self.updated(connection, command, shape.name, payload, keys)
            own = {name: payload[name] for name in shape.collection.primary_key if name in payload}
            found.append(changed | own)
        return found

    async def deleted(
        self, connection: Connection, command: Command, collection: str, keys: Sequence[str]
    ) -> list[str]:
        """The keys of what is to be deleted."""
        found = await self._asked().keys(connection, command.caller, collection, keys)
        return [key_text(key) for key in found]

    def _asked(self) -> Filters:
        assert self.filters is not None
        return self.filters
