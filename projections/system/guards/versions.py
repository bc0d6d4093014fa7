"""Content versions: of an item that is there, in a collection that has them, each key once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.errors import Forbidden, InvalidPayload, UnprocessableContent
from domain.items.content_versions import content_of
from projections.sql import load
from projections.system.guards.base import Action, Guard, Occasion, Payload

SQL = load("system/content_versions")
MEMBERS = {"create": ("key", "name", "collection", "item"), "update": ("key", "name")}
REQUIRED = ("key", "collection", "item")
RESERVED = "main"


class VersionGuard(Guard):
    """The rules of `/versions`."""

    async def payload(
        self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload
    ) -> Payload:
        """Refuse what can't be said of a version; note what the item is like now."""
        for name in payload:
            if name not in MEMBERS[action]:
                raise InvalidPayload(f'"{name}" is not allowed')
        for name in REQUIRED if action == "create" else ():
            if not isinstance(payload.get(name), str) or not payload[name]:
                raise InvalidPayload(f'"{name}" is required')
        if "key" in payload:
            _check_key(payload["key"])
        if action == "create":
            hash_ = await self._hash(occasion, payload)
            await _refuse_taken(occasion, keys, payload["key"], payload["collection"], payload["item"])
            return {**payload, "hash": hash_}
        if "key" in payload:
            cursor = await occasion.connection.execute(SQL["of_keys"], {"keys": list(keys)})
            for collection, item in await cursor.fetchall():
                await _refuse_taken(occasion, keys, payload["key"], collection, item)
        return payload

    async def _hash(self, occasion: Occasion, payload: Payload) -> str:
        collection, item = payload["collection"], payload["item"]
        found = occasion.model.collection(collection)
        if found is None or found.system:
            raise Forbidden()
        if not (found.meta or {}).get("versioning"):
            raise UnprocessableContent(f'Content Versioning is not enabled for collection "{collection}"')
        if await occasion.item(occasion.command, collection, item) is None:
            raise Forbidden()
        whole = await occasion.item(occasion.command.unlimited(), collection, item)
        return occasion.writer.mark(content_of(whole))


async def _refuse_taken(
    occasion: Occasion, keys: Sequence[str], key: str, collection: str, item: str
) -> None:
    values = {"key": key, "collection": collection, "item": item, "keys": list(keys)}
    place = {"place": "/".join((collection, item, key))}
    await occasion.connection.execute(SQL["hold_key"], place)
    row = await (await occasion.connection.execute(SQL["taken"], values | place)).fetchone()
    if row is not None and row[0]:
        raise UnprocessableContent(
            f'Version "{key}" already exists for item "{item}" in collection "{collection}"'
        )
    await occasion.connection.execute(SQL["note_key"], place)


def _check_key(key: Any) -> None:
    if not isinstance(key, str) or not key:
        raise InvalidPayload('"key" must be a text')
    if key == RESERVED:
        raise InvalidPayload(f'"{RESERVED}" is a reserved version key')
