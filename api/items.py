"""Reading and writing items for any interface: REST today, GraphQL and import beside it.

Reads are the reader's bytes, passed through. Writes go through the item writer as one command; what a system
collection demands beyond its fields (`projections.system`) is known there, not here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from api.commands import make_command
from api.keys import Context
from domain.access.rights import ADMINISTRATOR, Action
from domain.errors import Forbidden
from domain.model.keys import join_key
from projections.log.contexts import Contexts
from projections.reading.reader import Reader
from projections.system.rights import RightsStore
from projections.tables.item_writer import ItemWriter

EMPTY = b'{"data":[]}'
Raw = str | Mapping[str, Any]
Payload = dict[str, Any]
T = TypeVar("T")


class Items:
    """Items of all collections, as one caller sees and changes them."""

    def __init__(self, reader: Reader, writer: ItemWriter, contexts: Contexts, rights: RightsStore) -> None:
        self._reader = reader
        self._writer = writer
        self._contexts = contexts
        self._rights = rights

    async def read(self, context: Context, collection: str, raw: Raw) -> bytes:
        """The list envelope; of a singleton the item envelope."""
        found = context.model.collections.get(collection)
        ask = self._reader.singleton if found is not None and found.singleton else self._reader.list
        return await ask(context.model, context.rights, context.caller, collection, raw)

    async def read_one(self, context: Context, collection: str, key: str, raw: Raw) -> bytes | None:
        """The item envelope, None when the caller can't see such an item."""
        return await self._reader.item(context.model, context.rights, context.caller, collection, key, raw)

    async def read_many(self, context: Context, collection: str, keys: Sequence[str], raw: Raw) -> bytes:
        """The list envelope of those of the keys that the caller can see."""
        return await self._reader.by_keys(
            context.model, context.rights, context.caller, collection, keys, raw
        )

    async def read_singleton(self, context: Context, collection: str, raw: Raw) -> bytes:
        """The item envelope of a singleton, its defaults when no row is stored."""
        return await self._reader.singleton(context.model, context.rights, context.caller, collection, raw)

    async def matching(self, context: Context, collection: str, query: Mapping[str, Any]) -> list[str]:
        """The keys of the items a query selects; the caller's right to read them does not matter here."""
        found = context.model.collections.get(collection)
        if found is None or not found.primary_key:
            raise Forbidden.collection(collection)
        columns = found.primary_key
        wanted = {**query, "fields": list(columns)}
        rows = await self._reader.rows(context.model, ADMINISTRATOR, context.caller, collection, wanted)
        return [join_key([row[column] for column in columns]) for row in rows]

    async def reaches(self, context: Context, collection: str, key: str, action: Action) -> bool:
        """Whether the caller may do ``action`` with an item; one that is not there can't be reached."""
        rights = context.rights.reading_as(collection, action)
        found = context.model.collections.get(collection)
        if found is None or not rights.may(collection, "read"):
            return False
        return bool(
            await self._reader.by_keys(
                context.model, rights, context.caller, collection, [key], {"fields": list(found.primary_key)}
            )
            != EMPTY
        )

    async def create_one(
        self, context: Context, collection: str, payload: Payload, raw: str
    ) -> tuple[str, bytes | None]:
        """Create an item: its key, and the item envelope where the writing statement could answer with it."""
        one = await self._settled(self._writer.create_one, context, collection, payload, raw)
        return one.key, _envelope(one.answer)

    async def update_one(
        self, context: Context, collection: str, key: str, payload: Payload, raw: str
    ) -> tuple[str | None, bytes | None]:
        """Change an item; as :meth:`create_one`, without a key when there is no such item."""
        one = await self._settled(self._writer.update_one, context, collection, key, payload, raw)
        return (None, None) if one is None else (one.key, _envelope(one.answer))

    async def create(self, context: Context, collection: str, payloads: list[Payload]) -> list[str]:
        """Create items in one transaction; their keys in order."""
        return await self._settled(self._writer.create, context, collection, payloads)

    async def update(self, context: Context, collection: str, keys: list[str], payload: Payload) -> list[str]:
        """The same change to all keys; those that exist come back."""
        return await self._settled(self._writer.update, context, collection, keys, payload)

    async def update_each(self, context: Context, collection: str, payloads: list[Payload]) -> list[str]:
        """A change of its own to each item, whose key stands in the payload."""
        return await self._settled(self._writer.update_each, context, collection, payloads)

    async def delete(self, context: Context, collection: str, keys: list[str]) -> list[str]:
        """Delete by keys, all or nothing."""
        return await self._settled(self._writer.delete, context, collection, keys)

    async def upsert_singleton(self, context: Context, collection: str, payload: Payload) -> str:
        """Create or change the one row of a singleton."""
        return await self._settled(self._writer.upsert_singleton, context, collection, payload)

    async def update_silently(
        self, context: Context, collection: str, keys: list[str], payload: Payload
    ) -> list[str]:
        """An update that Acta makes on the caller's behalf: no rights are asked, no activity is shown."""
        command = (await make_command(self._contexts, context)).unlimited().noting(silent=True)
        return await self._writer.update(command, context.model, collection, keys, payload)

    async def _settled(
        self, write: Callable[..., Awaitable[T]], context: Context, collection: str, *arguments: Any
    ) -> T:
        # Rights that the command changed are forgotten before its answer is out.
        try:
            command = await make_command(self._contexts, context)
            return await write(command, context.model, collection, *arguments)
        finally:
            self._rights.settle()


def _envelope(answer: str | None) -> bytes | None:
    return None if answer is None else b'{"data":' + answer.encode() + b"}"
