"""Content versions: of an item that is there, in a collection that has them, each key once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.errors import Forbidden, InvalidPayload, UnprocessableContent
from domain.items.content_versions import content_of
from projections.sql import load
from projections.system.guards.base import Action, Change, Guard, Occasion, Payload

SQL = load("system/content_versions")
MEMBERS = {"create": ("key", "name", "collection", "item"), "update": ("key", "name")}
REQUIRED = ("key", "collection", "item")
RESERVED = "main"
# The first key of the advisory locks of places for versions; the second is a part of the place's hash.
LOCKS = 0x61637603
Place = tuple[str, str, str]
"""Collection, item and key of a version."""


class VersionGuard(Guard):
    """The rules of `/versions`."""

    async def payloads(
        self, occasion: Occasion, action: Action, changes: Sequence[Change]
    ) -> Sequence[Payload]:
        """Refuse what can't be said of versions; note what their items are like now."""
        for change in changes:
            _check(action, change)
        if action == "create":
            hashes = await _hashes(occasion, [change.payload for change in changes])
            await _refuse_taken(occasion, [(_place(change.payload), "") for change in changes])
            return [{**change.payload, "hash": hash_} for change, hash_ in zip(changes, hashes, strict=True)]
        renamed = [change for change in changes if "key" in change.payload]
        if renamed:
            keys = [key for change in renamed for key in change.keys]
            items = {id: item for id, *item in await occasion.rows(SQL["of_keys"], keys=keys)}
            places = [
                ((*items[id], change.payload["key"]), id)
                for change in renamed
                for id in change.keys
                if id in items
            ]
            await _refuse_taken(occasion, places)
        return [change.payload for change in changes]


def _place(payload: Payload) -> Place:
    return payload["collection"], payload["item"], payload["key"]


def _check(action: Action, change: Change) -> None:
    payload = change.payload
    for name in payload:
        # In a batch the key stands in the payload.
        if name not in MEMBERS[action] and not (name == "id" and payload[name] in change.keys):
            raise InvalidPayload(f'"{name}" is not allowed')
    for name in REQUIRED if action == "create" else ():
        if not isinstance(payload.get(name), str) or not payload[name]:
            raise InvalidPayload(f'"{name}" is required')
        if "\0" in payload[name]:
            raise InvalidPayload(f'"{name}" must not hold a zero')
    if "key" in payload:
        _check_key(payload["key"])


async def _hashes(occasion: Occasion, payloads: Sequence[Payload]) -> list[str]:
    """What the items of new versions are like."""
    for payload in payloads:
        collection = payload["collection"]
        found = occasion.model.collection(collection)
        if found is None or found.system:
            raise Forbidden()
        if not (found.meta or {}).get("versioning"):
            raise UnprocessableContent(f'Content Versioning is not enabled for collection "{collection}"')
    items = [(payload["collection"], payload["item"]) for payload in payloads]
    command = occasion.command
    if not command.rights.admin and set(items) - await occasion.reached(command, items, "read"):
        raise Forbidden()
    states = await occasion.items(command.unlimited(), items)
    if not states.keys() >= set(items):
        raise Forbidden()
    marks = {item: occasion.writer.mark(content_of(state)) for item, state in states.items()}
    return [marks[item] for item in items]


async def _refuse_taken(occasion: Occasion, wanted: Sequence[tuple[Place, str]]) -> None:
    """Refuse places that another version has, or gets by the same changes; each comes with its version, if
    there is one."""
    collections, items, keys = (list(part) for part in zip(*(place for place, _ in wanted), strict=True))
    texts = ["/".join(place) for place, _ in wanted]
    await occasion.connection.execute(SQL["hold_places"], {"class": LOCKS, "places": texts})
    taken: dict[Place, set[str]] = {}
    for collection, item, key, id in await occasion.rows(
        SQL["holders"], collections=collections, items=items, keys=keys
    ):
        taken.setdefault((collection, item, key), set()).add(id)
    for place, id in wanted:
        holders = taken.setdefault(place, set())
        if holders - ({id} if id else set()):
            collection, item, key = place
            raise UnprocessableContent(
                f'Version "{key}" already exists for item "{item}" in collection "{collection}"'
            )
        holders.add(id)


def _check_key(key: Any) -> None:
    if not isinstance(key, str) or not key:
        raise InvalidPayload('"key" must be a text')
    if key == RESERVED:
        raise InvalidPayload(f'"{RESERVED}" is a reserved version key')
