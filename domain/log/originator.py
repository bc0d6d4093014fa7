"""The text id of what an event happened to: ``articles/5`` for an item, ``articles`` for the collection.

A collection's name is any PostgreSQL name, so a slash or per cent sign in it is written ``%2F`` or ``%25``;
the item's part is its key as it stands.
"""

from __future__ import annotations


def join_originator(collection: str | None, item: str | None) -> str:
    """The id of an item, or of a collection when ``item`` is None."""
    name = collection or ""
    if "%" in name or "/" in name:
        name = name.replace("%", "%25").replace("/", "%2F")
    return name if item is None else f"{name}/{item}"


def split_originator(originator_id: str) -> tuple[str, str | None]:
    """Collection and item of an id: the opposite of `join_originator`."""
    name, slash, item = originator_id.partition("/")
    return name.replace("%2F", "/").replace("%25", "%"), item if slash else None
