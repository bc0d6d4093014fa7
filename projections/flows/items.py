"""The operations on items, and notifications: through the same reader and writer as every request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from domain.access.caller import Caller
from domain.access.rights import Rights
from domain.errors import Forbidden, InvalidPayload
from domain.flows.running import Run
from domain.model.keys import join_key
from domain.query.parse import for_keys
from projections.flows.services import FlowServices

Options = Mapping[str, Any]


class ItemOperations:
    """Performers of ``item-create``, ``item-read``, ``item-update``, ``item-delete``, ``notification``."""

    def __init__(self, services: FlowServices) -> None:
        self._services = services

    async def create(self, options: Options, run: Run) -> Any:
        """The keys of what was created, always as an array; null without a payload."""
        payload = parsed(options.get("payload"), "payload")
        if payload is None:
            return None
        payloads = payload if isinstance(payload, list) else [payload]
        return await self._create(options, run, _text(options, "collection"), payloads)

    async def notification(self, options: Options, run: Run) -> Any:
        """The ids of the notifications."""
        recipients = options.get("recipient")
        caller, _ = await self._services.identity(options.get("permissions"), run)
        message = options.get("message")
        payloads = [
            {
                "recipient": recipient,
                "sender": None if caller.user is None else str(caller.user),
                "subject": options.get("subject"),
                "message": message if isinstance(message, str | None) else orjson.dumps(message).decode(),
                "collection": options.get("collection"),
                "item": options.get("item"),
            }
            for recipient in (recipients if isinstance(recipients, list) else [recipients])
        ]
        return await self._create({**options, "emitEvents": True}, run, "directus_notifications", payloads)

    async def _create(self, options: Options, run: Run, collection: str, payloads: list[Any]) -> list[Any]:
        services = self._services
        caller, rights = await services.identity(options.get("permissions"), run)
        command = await services.command(caller, rights, emit=bool(options.get("emitEvents")))
        checked = [_object(entry) for entry in payloads]
        model = services.models.current
        keys = await services.writer.create(command, model, collection, checked)
        self._settle()
        return [self._key(collection, key) for key in keys]

    async def read(self, options: Options, run: Run) -> Any:
        """One item, several, or what a query finds."""
        services, collection = self._services, _text(options, "collection")
        caller, rights = await services.identity(options.get("permissions"), run)
        query = _object(parsed(options.get("query"), "query") or {})
        keys = _keys(options.get("key"))
        arguments = (services.models.current, rights, caller, collection)
        if keys is None:
            return orjson.loads(await services.reader.list(*arguments, query))["data"]
        if len(keys) == 1:
            found = await services.reader.item(*arguments, keys[0], query)
            if found is None:
                raise Forbidden()
            return orjson.loads(found)["data"]
        return orjson.loads(await services.reader.by_keys(*arguments, keys, query))["data"]

    async def update(self, options: Options, run: Run) -> Any:
        """The key of one item, else the keys of all that were changed."""
        services, collection = self._services, _text(options, "collection")
        caller, rights = await services.identity(options.get("permissions"), run)
        payload = parsed(options.get("payload"), "payload")
        if payload is None:
            return None
        command = await services.command(caller, rights, emit=bool(options.get("emitEvents")))
        model = services.models.current
        if isinstance(payload, list):
            each = [_object(entry) for entry in payload]
            keys = await services.writer.update_each(command, model, collection, each)
            return [self._key(collection, key) for key in keys]
        wanted = await self._wanted(options, caller, rights, collection)
        keys = await services.writer.update(command, model, collection, wanted, _object(payload))
        self._settle()
        found = [self._key(collection, key) for key in keys]
        return found[0] if _single(options.get("key")) and found else found

    async def delete(self, options: Options, run: Run) -> Any:
        """The key of one item, else the keys."""
        services, collection = self._services, _text(options, "collection")
        caller, rights = await services.identity(options.get("permissions"), run)
        command = await services.command(caller, rights, emit=bool(options.get("emitEvents")))
        wanted = await self._wanted(options, caller, rights, collection)
        await services.writer.delete(command, services.models.current, collection, wanted)
        self._settle()
        found = [self._key(collection, key) for key in wanted]
        return found[0] if _single(options.get("key")) and found else found

    async def _wanted(self, options: Options, caller: Caller, rights: Rights, collection: str) -> list[str]:
        keys = _keys(options.get("key"))
        if keys is not None:
            return keys
        query = _object(parsed(options.get("query"), "query") or {})
        model = self._services.models.current
        found = model.collections.get(collection)
        if found is None or not found.primary_key:
            raise Forbidden.collection(collection)
        wanted = for_keys(query, found.primary_key)
        rows = await self._services.reader.rows(model, rights, caller, collection, wanted)
        return [join_key([row[column] for column in found.primary_key]) for row in rows]

    def _key(self, collection: str, key: str) -> Any:
        """A key in its column's JSON type."""
        found = self._services.models.current.collections.get(collection)
        if found is None or len(found.primary_key) != 1:
            return key
        kind = found.columns[found.primary_key[0]].sql_type
        return int(key) if kind in ("smallint", "integer", "bigint") else key

    def _settle(self) -> None:
        self._services.rights.settle()


def parsed(value: Any, name: str) -> Any:
    """An option that may be JSON or its text.

    Raises:
        InvalidPayload: for a text that is no JSON.
    """
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise InvalidPayload(f'"{name}" is not valid JSON') from None


def _keys(value: Any) -> list[str] | None:
    if value in (None, "", []):
        return None
    keys = value if isinstance(value, list) else [value]
    for key in keys:
        if isinstance(key, bool) or not isinstance(key, str | int | float):
            raise InvalidPayload('"key" has to be a key or an array of keys')
    return [str(key) for key in keys]


def _single(value: Any) -> bool:
    return value is not None and (not isinstance(value, list) or len(value) == 1)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidPayload("An object is expected")
    return value


def _text(options: Options, name: str) -> str:
    value = options.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidPayload(f'"{name}" is required')
    return value
