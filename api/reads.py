"""Reading items as a caller sees them, at present or as of a moment: the reader's bytes, passed through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from api.keys import Context
from api.recalling import Recalling
from projections.reading.past import PastReader, names_past
from projections.reading.reader import Reader, Versioned

Raw = str | Mapping[str, Any]


class Reads:
    """Reads that nobody is told of."""

    def __init__(self, reader: Reader, past: PastReader, recalling: Recalling) -> None:
        self._reader = reader
        self._past = past
        self.recalling = recalling

    async def list(self, context: Context, collection: str, raw: Raw) -> bytes:
        """The list envelope; of a singleton the item envelope."""
        if context.rights.may(collection, "read"):
            await self.recalling.query(collection, raw)
        found = context.model.collections.get(collection)
        reader = self._of(raw)
        ask = reader.singleton if found is not None and found.singleton else reader.list
        return await ask(context.model, context.rights, context.caller, collection, raw)

    async def one(self, context: Context, collection: str, key: str, raw: Raw) -> bytes | None:
        """The item envelope, None when the caller can't see such an item."""
        body = await self._of(raw).item(context.model, context.rights, context.caller, collection, key, raw)
        if body is None:
            await self.recalling.entry(collection, key)
        return body

    async def version(self, context: Context, collection: str, key: str, raw: Raw) -> Versioned:
        """As :meth:`one`, with the item's version; earlier states have none."""
        if names_past(raw):
            return await self.one(context, collection, key, raw), None
        body, version = await self._reader.item_version(
            context.model, context.rights, context.caller, collection, key, raw
        )
        if body is None:
            await self.recalling.entry(collection, key)
        return body, version

    async def many(self, context: Context, collection: str, keys: Sequence[str], raw: Raw) -> bytes:
        """The list envelope of those of the keys that the caller can see."""
        return await self._of(raw).by_keys(
            context.model, context.rights, context.caller, collection, keys, raw
        )

    async def singleton(self, context: Context, collection: str, raw: Raw) -> bytes:
        """The item envelope of a singleton, its defaults when no row is stored."""
        return await self._of(raw).singleton(context.model, context.rights, context.caller, collection, raw)

    async def singleton_version(self, context: Context, collection: str, raw: Raw) -> Versioned:
        """As :meth:`singleton`, with the version of its row; earlier states have none."""
        if names_past(raw):
            return await self.singleton(context, collection, raw), None
        return await self._reader.singleton_version(
            context.model, context.rights, context.caller, collection, raw
        )

    def _of(self, raw: Raw) -> Reader | PastReader:
        return self._past if names_past(raw) else self._reader
