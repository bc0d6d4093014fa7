"""Reading and writing items for any interface: REST today, GraphQL and import beside it.

Reads are the reader's bytes, passed through. Writes go through the item writer as one command; what a system
collection demands beyond its fields (`projections.system`) is known there, not here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from api.commands import make_command
from api.keys import Context
from api.read_events import ReadEvents
from api.reads import Reads
from domain.access.rights import Action
from domain.errors import Forbidden
from domain.model.keys import join_key
from domain.query.parse import for_keys
from projections.flows.runner import Flows
from projections.log.contexts import Contexts
from projections.reading.reader import Reader, Versioned
from projections.system.rights import RightsStore
from projections.tables.item_writer import ItemWriter
from projections.tables.writing.idempotency import IdempotencyKeys
from projections.tables.writing.versions import Expected

Raw = str | Mapping[str, Any]
Payload = dict[str, Any]
T = TypeVar("T")
NOTHING = b'{"data":null}'
"""The envelope of a singleton of which filters leave nothing."""


class Written(NamedTuple):
    """An item that was written: its key; the item envelope and its version where they are known already."""

    key: str | None = None
    answer: bytes | None = None
    version: str | None = None


class Items:
    """Items of all collections, as one caller sees and changes them."""

    def __init__(
        self,
        reads: Reads,
        events: ReadEvents,
        reader: Reader,
        writer: ItemWriter,
        contexts: Contexts,
        rights: RightsStore,
        idempotency: IdempotencyKeys,
        flows: Flows,
    ) -> None:
        self.reads = reads
        self.events = events
        self._reader = reader
        self._writer = writer
        self._contexts = contexts
        self._rights = rights
        self._idempotency = idempotency
        self._flows = flows

    async def read(self, context: Context, collection: str, raw: Raw) -> bytes:
        """The list envelope; of a singleton the item envelope."""
        raw = await self.events.query(context, collection, raw)
        return await self._whole(context, collection, raw, await self.reads.list(context, collection, raw))

    async def read_one(self, context: Context, collection: str, key: str, raw: Raw) -> bytes | None:
        """The item envelope, None when the caller can't see such an item."""
        raw = await self.events.query(context, collection, raw)
        body = await self.reads.one(context, collection, key, raw)
        return await self._shown(context, collection, raw, body, [key])

    async def read_version(self, context: Context, collection: str, key: str, raw: Raw) -> Versioned:
        """As :meth:`read_one`, with the item's version; earlier states have none."""
        raw = await self.events.query(context, collection, raw)
        body, version = await self.reads.version(context, collection, key, raw)
        return await self._shown(context, collection, raw, body, [key]), version

    async def read_many(self, context: Context, collection: str, keys: Sequence[str], raw: Raw) -> bytes:
        """The list envelope of those of the keys that the caller can see."""
        raw = await self.events.query(context, collection, raw)
        body = await self.reads.many(context, collection, keys, raw)
        return await self._whole(context, collection, raw, body, keys)

    async def read_singleton(self, context: Context, collection: str, raw: Raw) -> bytes:
        """The item envelope of a singleton, its defaults when no row is stored."""
        raw = await self.events.query(context, collection, raw)
        body = await self.reads.singleton(context, collection, raw)
        return await self._whole(context, collection, raw, body)

    async def read_singleton_version(self, context: Context, collection: str, raw: Raw) -> Versioned:
        """As :meth:`read_singleton`, with the version of its row; earlier states have none."""
        raw = await self.events.query(context, collection, raw)
        body, version = await self.reads.singleton_version(context, collection, raw)
        return await self._shown(context, collection, raw, body), version

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
        if context.once is not None or await self.events.asks(context, collection):
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
            if one is None:
                return Written()
            if await self.events.asks(context, collection):
                # They are asked about the read that answers.
                return Written(one.key)
            return Written(one.key, _envelope(one.answer), one.version)

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

    async def _shown(
        self, context: Context, collection: str, raw: Raw, body: bytes | None, keys: Sequence[str] = ()
    ) -> bytes | None:
        """What filters leave of an envelope, which whoever listens is told of."""
        if body is not None:
            body = await self.events.envelope(context, collection, raw, body, keys)
        if body is not None:
            await self.events.tell_envelope(context, collection, raw, body, keys)
        return body

    async def _whole(
        self, context: Context, collection: str, raw: Raw, body: bytes, keys: Sequence[str] = ()
    ) -> bytes:
        return await self._shown(context, collection, raw, body, keys) or NOTHING

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
