"""What code of an extension works with: items, model, settings, a log, and on whose behalf it runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from domain.access.caller import SYSTEM, Caller
from domain.access.rights import ADMINISTRATOR, Rights
from domain.errors import ActaError, ServiceUnavailable
from domain.flows.running import Thrown, accountability
from domain.model.keys import key_text
from domain.model.schema import Model
from domain.settings import Settings
from projections.flows.services import FlowServices

Payload = Mapping[str, Any]
Key = str | int


class Door:
    """The services of this process, once it runs."""

    def __init__(self) -> None:
        self._services: FlowServices | None = None

    def open(self, services: FlowServices) -> None:
        """From now on they can be used."""
        self._services = services

    def opened(self) -> FlowServices:
        """The services. Raises ServiceUnavailable before the process runs."""
        if self._services is None:
            raise ServiceUnavailable("items", "Acta is still starting")
        return self._services


@dataclass(frozen=True, slots=True)
class Items:
    """The items of a collection, read and written like by any request: every write is an event.

    Inside a filter all of it takes part in the transaction of the write that is being looked at.
    """

    collection: str
    _door: Door
    _caller: Caller | None

    async def read(self, query: Payload | None = None) -> list[dict[str, Any]]:
        """The items that a query selects (``fields``, ``filter``, ``sort``, ``limit`` ...)."""
        services, caller, rights = await self._standing()
        model = services.models.current
        return list(await services.reader.rows(model, rights, caller, self.collection, dict(query or {})))

    async def read_one(self, key: Key, query: Payload | None = None) -> dict[str, Any] | None:
        """One item; None when it is not there, or not to be seen."""
        services, caller, rights = await self._standing()
        model, asked = services.models.current, dict(query or {})
        found = await services.reader.item(model, rights, caller, self.collection, key_text(key), asked)
        return None if found is None else orjson.loads(found)["data"]

    async def create(self, payload: Payload, *, emit: bool = True) -> str:
        """Create an item; its key as text."""
        return (await self.create_many([payload], emit=emit))[0]

    async def create_many(self, payloads: Sequence[Payload], *, emit: bool = True) -> list[str]:
        """Create items, all or none. Unless they ``emit``, no hook, flow or subscriber hears of them."""
        services, caller, rights = await self._standing()
        command = await services.command(caller, rights, emit=emit)
        given = [dict(payload) for payload in payloads]
        try:
            return await services.writer.create(command, services.models.current, self.collection, given)
        finally:
            services.rights.settle()

    async def update(self, keys: Key | Sequence[Key], payload: Payload, *, emit: bool = True) -> list[str]:
        """The same change to all items of the keys; the keys of those that are there."""
        services, caller, rights = await self._standing()
        command = await services.command(caller, rights, emit=emit)
        model = services.models.current
        try:
            return await services.writer.update(command, model, self.collection, _keys(keys), dict(payload))
        finally:
            services.rights.settle()

    async def delete(self, keys: Key | Sequence[Key], *, emit: bool = True) -> list[str]:
        """Delete items; the keys of those that were there."""
        services, caller, rights = await self._standing()
        command = await services.command(caller, rights, emit=emit)
        try:
            return await services.writer.delete(
                command, services.models.current, self.collection, _keys(keys)
            )
        finally:
            services.rights.settle()

    async def _standing(self) -> tuple[FlowServices, Caller, Rights]:
        services = self._door.opened()
        if self._caller is None:
            return services, SYSTEM, ADMINISTRATOR
        caller, rights = await services.standing(self._caller)
        return services, caller, rights


@dataclass(frozen=True, slots=True)
class Context:
    """One for each call of an extension's code.

    Attributes:
        settings: Of this server; secrets in it are hidden behind ``get_secret_value()``.
        log: Where the extension may write.
        caller: On whose behalf it runs; None for Acta itself, schedules and internal writes.
        data: The data chain of the run; of operations only.
        flow: The id of the flow; of operations only.
    """

    settings: Settings
    log: logging.Logger
    _door: Door
    caller: Caller | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    flow: str | None = None

    @property
    def model(self) -> Model:
        """The collections, fields and relations of now."""
        return self._door.opened().models.current

    @property
    def accountability(self) -> dict[str, Any] | None:
        """The caller as flows see it: role, user, roles, admin, app, ip, userAgent; None for none."""
        return accountability(self.caller)

    def items(self, collection: str, *, as_caller: bool = False) -> Items:
        """The items of a collection, with every right or with those of the caller."""
        return Items(collection, self._door, self.caller if as_caller else None)

    def error(self, status: int, code: str, message: str) -> ActaError:
        """An error to raise: what the client is answered."""
        return Thrown(message, code, status if 400 <= status <= 599 else 500)

    def called(self, caller: Caller | None, **members: Any) -> Context:
        """The context of one call."""
        return replace(self, caller=caller, **members)


def _keys(keys: Key | Sequence[Key]) -> list[str]:
    several = [keys] if isinstance(keys, str | int) else keys
    return [key if isinstance(key, str) else key_text(key) for key in several]
