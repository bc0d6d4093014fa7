"""Asks and tells whoever listens to events: hooks in the order of their registration, then flows.

Listeners of a generic name (``items.create``) come before those of the specific one
(``art.items.create``). Filters of writes take part in the transaction of the write: what they read is what it
sees, and what they write stands or falls with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context, ContextVar
from types import MappingProxyType
from typing import Any, Final

from domain.access.caller import SYSTEM, Caller
from domain.errors import InvalidPayload
from domain.flows.subscriptions import Action, names_of_event
from domain.hooks.registry import Hooks
from projections.bound import binding
from projections.database import Connection
from projections.flows.runner import Flows

log = logging.getLogger("acta.flows")
DEEPEST: Final = 20
AT_ONCE: Final = 8
MOST_WAITING: Final = 1000
# What ties the record of a file to its bytes.
_FIXED: Final[Mapping[str, tuple[str, ...]]] = {
    "directus_files": ("id", "storage", "filename_disk", "filesize", "uploaded_on")
}
_depth: ContextVar[int] = ContextVar("filters that have set each other off", default=0)


class Emitter:
    """Filters of everything that can be refused or changed before it happens."""

    def __init__(self, hooks: Hooks, flows: Flows) -> None:
        self._hooks = hooks
        self._flows = flows
        self._telling: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(AT_ONCE)

    async def listens(self, collection: str, action: Action) -> bool:
        """Whether anybody wants to be asked about such a write or read."""
        flows = await self._flows.store.filters()
        if not flows and not self._hooks.filtering:
            return False
        return any(name in flows or self._hooks.filters(name) for name in names_of_event(collection, action))

    @property
    def quiet(self) -> bool:
        """Whether nobody listens to anything, as far as that is known without asking the database."""
        known = self._flows.store.known
        heard = known is None or known.filters or known.actions
        return not (heard or self._hooks.filtering or self._hooks.acting)

    async def listens_anywhere(self, action: Action) -> bool:
        """Whether anybody may want to be asked about such an event of any collection."""
        flows = await self._flows.store.filters()
        return any(name.endswith(f".{action}") for name in flows) or self._hooks.may_filter(action)

    async def asks(self, name: str) -> bool:
        """Whether anybody wants to be asked about an event."""
        return name in await self._flows.store.filters() or bool(self._hooks.filters(name))

    async def tells(self, names: Sequence[str]) -> bool:
        """Whether anybody wants to be told of an event."""
        flows = await self._flows.store.actions()
        return any(name in flows for name in names) or bool(self._hooks.actions(names))

    def tells_at_once(self, name: str) -> bool:
        """As :meth:`tells`, as far as it is known without asking the database."""
        known = self._flows.store.known
        return (known is not None and name in known.actions) or bool(self._hooks.actions((name,)))

    async def payload(
        self,
        connection: Connection,
        caller: Caller | None,
        collection: str,
        action: Action,
        payload: Mapping[str, Any],
        keys: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """The payload of a create or an update (of ``keys``) as it is to be written.

        Raises:
            ActaError, ErrorGroup: with what a filter refuses it.
        """
        members: dict[str, Any] = {} if keys is None else {"keys": list(keys)}
        members["collection"] = collection
        names = names_of_event(collection, action)
        found = await self.within(connection, caller, names, dict(payload), members)
        # A flow that returns null, or anything but an object, leaves nothing of the payload.
        changed = dict(found) if isinstance(found, Mapping) else {}
        kept = {name: payload[name] for name in _FIXED.get(collection, ()) if name in payload}
        return changed | kept

    async def keys(
        self, connection: Connection, caller: Caller | None, collection: str, keys: Sequence[str]
    ) -> list[Any]:
        """The keys of what is to be deleted. Raises as :meth:`payload`."""
        names, members = names_of_event(collection, "delete"), {"collection": collection}
        found = await self.within(connection, caller, names, list(keys), members)
        return found if isinstance(found, list) else []

    async def within(
        self,
        connection: Connection,
        caller: Caller | None,
        names: Sequence[str],
        payload: Any,
        members: Mapping[str, Any],
    ) -> Any:
        """What filters make of an event, whose own name is the last, inside a transaction. Raises as
        :meth:`payload`."""
        with binding(connection):
            return await self.filter(names[-1], names, payload, members, caller)

    async def promoted(
        self,
        connection: Connection,
        caller: Caller | None,
        collection: str,
        item: str,
        version: str,
        payload: Mapping[str, Any],
    ) -> dict[str, Any]:
        """What of a content version goes into its item. Raises as :meth:`payload`."""
        names = ("items.promote", f"{collection}.items.promote")
        members = {"collection": collection, "item": item, "version": version}
        found = await self.within(connection, caller, names, dict(payload), members)
        return dict(found) if isinstance(found, Mapping) else {}

    async def letter(self, letter: Mapping[str, Any]) -> Any:
        """What filters make of a letter. Raises as :meth:`payload`."""
        return await self.filter("email.send", ("email.send",), letter, {}, None)

    def act(self, names: Sequence[str], meta: Mapping[str, Any], caller: Caller | None) -> None:
        """Tell, in the background, of what the log does not hold; the last of the names is the event's.

        A few are told at once; so many may wait, the others are dropped. Whoever is told takes no part in the
        caller's transaction.
        """
        if len(self._telling) >= MOST_WAITING:
            log.error("%s was told to nobody: %d others wait", names[-1], MOST_WAITING)
            return
        told = self._act(names, {"event": names[-1], **meta}, caller)
        task = asyncio.create_task(told, context=Context())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def last(self, event: str, seconds: float) -> None:
        """Tell of the end of this process, which waits no longer than this for flows; hooks have a limit of
        their own."""
        await self._hooks.tell((event,), {"event": event})
        try:
            async with asyncio.timeout(seconds):
                await self._tell_flows((event,), {"event": event}, None)
        except TimeoutError:
            log.error("flows that listen to %s took longer than %g seconds", event, seconds)

    async def _act(self, names: Sequence[str], meta: dict[str, Any], caller: Caller | None) -> None:
        caller = None if caller == SYSTEM else caller
        async with self._places:
            await self._hooks.tell(names, meta, caller)
            await self._tell_flows(names, meta, caller)

    async def _tell_flows(self, names: Sequence[str], meta: dict[str, Any], caller: Caller | None) -> None:
        try:
            flows = await self._flows.store.actions()
            for flow in (flow for name in names for flow in flows.get(name, ())):
                await self._flows.run(flow, meta, await self._flows.known(caller))
        except Exception:
            log.exception("flows could not be told of %s", names[-1])

    async def close(self) -> None:
        """End what is still being told."""
        for task in self._telling:
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def filter(
        self,
        event: str,
        names: Sequence[str],
        payload: Any,
        members: Mapping[str, Any],
        caller: Caller | None,
        masks: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        """What all filters of an event make of its payload.

        Flows, whose runs are written down, are told ``masks`` instead of the members of their names.
        Raises as :meth:`payload`.
        """
        flows = await self._flows.store.filters()
        caller = None if caller == SYSTEM else caller
        async with _deeper():
            for name in names:
                for hook in self._hooks.filters(name):
                    payload = await hook(payload, {"event": event, **members}, caller)
                for flow in flows.get(name, ()):
                    trigger = {"payload": payload, "event": event, **members, **masks}
                    payload = await self._flows.filtered(flow, trigger, caller)
        return payload


@asynccontextmanager
async def _deeper() -> AsyncIterator[None]:
    depth = _depth.get() + 1
    if depth > DEEPEST:
        raise InvalidPayload("Filters set each other off without end")
    token = _depth.set(depth)
    try:
        yield
    finally:
        _depth.reset(token)
