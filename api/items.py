"""Reading and writing items for any interface: REST today, GraphQL and import beside it.

Reads are the reader's bytes, passed through. Writes go through the item writer as one command; what a system
collection demands beyond its fields (`projections.system`) is known there, not here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import orjson

from api.commands import make_command
from api.keys import Context
from api.recalling import Recalling
from domain.access.rights import Action
from domain.errors import Forbidden
from domain.flows.subscriptions import names_of_event
from domain.model.keys import join_key
from domain.query.parse import for_keys
from domain.query.told import told as told_query
from projections.emitter import Emitter
from projections.flows.runner import Flows
from projections.log.contexts import Contexts
from projections.reading.past import PastReader, names_past
from projections.reading.reader import Reader, Versioned
from projections.system.rights import RightsStore
from projections.tables.item_writer import ItemWriter
from projections.tables.writing.idempotency import IdempotencyKeys
from projections.tables.writing.versions import Expected

Raw = str | Mapping[str, Any]
Payload = dict[str, Any]
T = TypeVar("T")


class Written(NamedTuple):
    """An item that was written: its key; the item envelope and its version where they are known already."""

    key: str | None = None
    answer: bytes | None = None
    version: str | None = None


class Items:
    """Items of all collections, as one caller sees and changes them."""

    def __init__(
        self,
        reader: Reader,
        writer: ItemWriter,
        contexts: Contexts,
        rights: RightsStore,
        idempotency: IdempotencyKeys,
        past: PastReader,
        flows: Flows,
        recalling: Recalling,
        emitter: Emitter,
    ) -> None:
        self._emitter = emitter
        self._flows = flows
        self.recalling = recalling
        self._reader = reader
        self._past = past
        self._writer = writer
        self._contexts = contexts
        self._rights = rights
        self._idempotency = idempotency

    async def read(self, context: Context, collection: str, raw: Raw) -> bytes:
        """The list envelope; of a singleton the item envelope."""
        if context.rights.may(collection, "read"):
            await self.recalling.query(collection, raw)
        found = context.model.collections.get(collection)
        reader = self._past if names_past(raw) else self._reader
        ask = reader.singleton if found is not None and found.singleton else reader.list
        body = await ask(context.model, context.rights, context.caller, collection, raw)
        await self._tell(context, collection, raw, body)
        return body

    async def read_one(self, context: Context, collection: str, key: str, raw: Raw) -> bytes | None:
        """The item envelope, None when the caller can't see such an item."""
        reader = self._past if names_past(raw) else self._reader
        body = await reader.item(context.model, context.rights, context.caller, collection, key, raw)
        if body is None:
            await self.recalling.entry(collection, key)
        await self._tell(context, collection, raw, body, [key])
        return body

    async def read_version(self, context: Context, collection: str, key: str, raw: Raw) -> Versioned:
        """As :meth:`read_one`, with the item's version; earlier states have none."""
        if names_past(raw):
            return await self.read_one(context, collection, key, raw), None
        body, version = await self._reader.item_version(
            context.model, context.rights, context.caller, collection, key, raw
        )
        if body is None:
            await self.recalling.entry(collection, key)
        await self._tell(context, collection, raw, body, [key])
        return body, version

    async def read_many(self, context: Context, collection: str, keys: Sequence[str], raw: Raw) -> bytes:
        """The list envelope of those of the keys that the caller can see."""
        reader = self._past if names_past(raw) else self._reader
        body = await reader.by_keys(context.model, context.rights, context.caller, collection, keys, raw)
        await self._tell(context, collection, raw, body, keys)
        return body

    async def read_singleton(self, context: Context, collection: str, raw: Raw) -> bytes:
        """The item envelope of a singleton, its defaults when no row is stored."""
        reader = self._past if names_past(raw) else self._reader
        body = await reader.singleton(context.model, context.rights, context.caller, collection, raw)
        await self._tell(context, collection, raw, body)
        return body

    async def read_singleton_version(self, context: Context, collection: str, raw: Raw) -> Versioned:
        """As :meth:`read_singleton`, with the version of its row; earlier states have none."""
        if names_past(raw):
            return await self.read_singleton(context, collection, raw), None
        body, version = await self._reader.singleton_version(
            context.model, context.rights, context.caller, collection, raw
        )
        await self._tell(context, collection, raw, body)
        return body, version

    async def tell_read(
        self, context: Context, collection: str, told: Callable[[], tuple[Mapping[str, Any], Any]]
    ) -> None:
        """Tell whoever listens of a read: of the query and what was answered, one item or several."""
        names = names_of_event(collection, "read")
        if await self._emitter.tells(names):
            query, found = told()
            payload = found if isinstance(found, list) else [found]
            meta = {"payload": payload, "query": query, "collection": collection}
            self._emitter.act(names, meta, context.caller)

    async def matching(self, context: Context, collection: str, query: Mapping[str, Any]) -> list[str]:
        """The keys of the items a query selects among those that the caller may read: what a change of them
        answers would tell of others, and of hidden values.
        """
        found = context.model.collections.get(collection)
        if found is None or not found.primary_key:
            raise Forbidden.collection(collection)
        columns = found.primary_key
        wanted = for_keys(query, columns)
        rows = await self._reader.rows(context.model, context.rights, context.caller, collection, wanted)
        return [join_key([row[column] for column in columns]) for row in rows]

    async def reaches(self, context: Context, collection: str, key: str, action: Action) -> bool:
        """Whether the caller may do ``action`` with an item; one that is not there can't be reached."""
        return await self._reader.reaches(
            context.model, context.rights, context.caller, collection, key, action
        )

    async def create_one(self, context: Context, collection: str, payload: Payload, raw: str) -> Written:
        """Create an item, and answer where the writing statement could."""
        if context.once is not None:
            return Written((await self.create(context, collection, [payload]))[0])
        one = await self._settled(self._writer.create_one, context, collection, payload, raw)
        return Written(one.key, _envelope(one.answer), one.version)

    async def update_one(
        self,
        context: Context,
        collection: str,
        key: str,
        payload: Payload,
        raw: str,
        expected: Expected | None = None,
    ) -> Written:
        """Change an item, if it has an expected version; as :meth:`create_one`, without a key when it is not
        there."""
        write = partial(self._writer.update_one, expected=expected)
        if context.once is None:
            one = await self._settled(write, context, collection, key, payload, raw)
            return Written() if one is None else Written(one.key, _envelope(one.answer), one.version)

        async def update(*arguments: Any, **options: Any) -> list[str]:
            one = await write(*arguments, **options)
            return [] if one is None else [one.key]

        changed = await self._keys_of(update, context, collection, key, payload, raw)
        return Written(changed[0] if changed else None)

    async def create(self, context: Context, collection: str, payloads: list[Payload]) -> list[str]:
        """Create items in one transaction; their keys in order."""
        return await self._keys_of(self._writer.create, context, collection, payloads)

    async def update(self, context: Context, collection: str, keys: list[str], payload: Payload) -> list[str]:
        """The same change to all keys; those that exist come back."""
        return await self._keys_of(self._writer.update, context, collection, keys, payload)

    async def update_each(self, context: Context, collection: str, payloads: list[Payload]) -> list[str]:
        """A change of its own to each item, whose key stands in the payload."""
        return await self._keys_of(self._writer.update_each, context, collection, payloads)

    async def delete(
        self, context: Context, collection: str, keys: list[str], expected: Expected | None = None
    ) -> list[str]:
        """Delete by keys, all or nothing; a single one may have to have an expected version."""
        delete = partial(self._writer.delete, expected=expected)
        return await self._keys_of(delete, context, collection, keys)

    async def upsert_singleton(
        self, context: Context, collection: str, payload: Payload, expected: Expected | None = None
    ) -> None:
        """Create or change the one row of a singleton, if it has an expected version."""

        async def upsert(*arguments: Any, **options: Any) -> list[str]:
            return [await self._writer.upsert_singleton(*arguments, expected=expected, **options)]

        await self._keys_of(upsert, context, collection, payload)

    async def update_silently(
        self, context: Context, collection: str, keys: list[str], payload: Payload
    ) -> list[str]:
        """An update that Acta makes on the caller's behalf: no rights are asked, no activity is shown."""
        command = (await make_command(self._contexts, context)).unlimited().noting(silent=True)
        return await self._writer.update(command, context.model, collection, keys, payload)

    async def _tell(
        self, context: Context, collection: str, raw: Raw, body: bytes | None, keys: Sequence[str] = ()
    ) -> None:
        def told() -> tuple[Mapping[str, Any], Any]:
            assert body is not None
            query, columns = (
                told_query(self._reader.members(raw)),
                context.model.collections[collection].primary_key,
            )
            if keys and len(columns) == 1:
                chosen: dict[str, Any] = {"_in": list(keys)} if len(keys) > 1 else {"_eq": keys[0]}
                query["filter"] = {columns[0]: chosen}
            return query, orjson.loads(body)["data"]

        if body is not None:
            await self.tell_read(context, collection, told)

    async def _keys_of(
        self,
        write: Callable[..., Awaitable[list[str]]],
        context: Context,
        collection: str,
        *arguments: Any,
    ) -> list[str]:
        """The keys that a write gives; under an idempotency key those that its first request was given."""
        once = context.once
        if once is None:
            return await self._settled(write, context, collection, *arguments)

        async def run(*given: Any) -> list[str]:
            return await self._idempotency.once(once, lambda connection: write(*given, connection=connection))

        return await self._settled(run, context, collection, *arguments)

    async def _settled(
        self, write: Callable[..., Awaitable[T]], context: Context, collection: str, *arguments: Any
    ) -> T:
        # Rights that the command changed are forgotten before its answer is out.
        try:
            command = await make_command(self._contexts, context)
            found = await write(command, context.model, collection, *arguments)
            context.settled = True
            return found
        finally:
            self._rights.settle()
            self._flows.store.settle()


def _envelope(answer: str | None) -> bytes | None:
    return None if answer is None else b'{"data":' + answer.encode() + b"}"
