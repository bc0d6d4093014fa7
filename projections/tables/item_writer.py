"""Items are written here, and nowhere else: rows and events in one transaction.

A call is one command. It either happens whole, with all its events under one request, or not at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import orjson

from domain.access.caller import Caller
from domain.access.command import Command
from domain.access.rights import Action, Rights
from domain.access.sealed import Seal
from domain.errors import Forbidden, InvalidPayload, PreconditionFailed
from domain.items.checks import deletable, permit
from domain.items.shape import Shape
from domain.model import Model
from domain.settings import Settings
from projections.bound import binding
from projections.database import Connection, Database
from projections.system.guards.base import Seats
from projections.system.rights import RightsStore
from projections.tables.writing.conditions import condition_of
from projections.tables.writing.decisions import update_condition
from projections.tables.writing.filtering import Filtering
from projections.tables.writing.flat import One
from projections.tables.writing.session import at_most, persistently, several
from projections.tables.writing.singletons import first_key
from projections.tables.writing.tables import Tables
from projections.tables.writing.versions import ANY_VERSION, Expected, require_version
from projections.tables.writing.writes import Writes

if TYPE_CHECKING:
    from projections.reading.reader import Reader

Payload = dict[str, Any]
_Found = TypeVar("_Found")


class ItemWriter:
    """Creates, changes and deletes items of any collection, the system's included."""

    def __init__(self, database: Database, reader: Reader, settings: Settings) -> None:
        self._database = database
        self._tables = Tables()
        self._reader = reader
        secret = settings.auth.secret
        self._seal = None if secret is None else Seal(secret.get_secret_value())
        most = settings.query.max_batch_mutation
        self._writes = Writes(database, self._tables, self, reader.limits, most)
        self.filtering = Filtering()
        self.seats = Seats(settings.auth.admin_seats, settings.auth.app_seats, settings.auth.api_seats)
        self.public_url = settings.server.public_url
        self.keep_deleted = settings.files.keep_deleted > 0

    async def create(
        self,
        command: Command,
        model: Model,
        collection: str,
        payloads: Sequence[Payload],
        *,
        connection: Connection | None = None,
    ) -> list[str]:
        """Create items; their keys, in order."""
        table = self._tables.of(model, collection)
        permit(table.shape, command, "create")
        self.within_limit(len(payloads))
        if not payloads:
            return []

        async def run() -> list[str]:
            if not await self.filtering.listens(command, collection, "create"):
                return await self._writes.create(command, table, payloads, connection)
            async with several(self._database, connection) as own:
                given = await self.filtering.created(own, command, collection, payloads)
                return await self._writes.create(command, table, given, own)

        return await self._persistently(run, connection)

    async def create_one(
        self, command: Command, model: Model, collection: str, payload: Payload, raw: str
    ) -> One:
        """Create an item, and answer the query ``raw`` on it in the same statement where that can be done."""
        table = self._tables.of(model, collection)
        permit(table.shape, command, "create")
        self.within_limit(1)

        async def run() -> One:
            if not await self.filtering.listens(command, collection, "create"):
                return await self._writes.create_one(command, table, payload, None, raw)
            async with several(self._database, None) as own:
                [given] = await self.filtering.created(own, command, collection, [payload])
                return await self._writes.create_one(command, table, given, own, raw)

        return await self._persistently(run, None)

    async def update_one(
        self,
        command: Command,
        model: Model,
        collection: str,
        key: str,
        payload: Payload,
        raw: str,
        *,
        expected: Expected | None = None,
        connection: Connection | None = None,
    ) -> One | None:
        """Change an item, and answer as :meth:`create_one`; None when there is no such item.

        Raises:
            PreconditionFailed: when the item's version is not an ``expected`` one.
        """
        table = self._tables.of(model, collection)
        permit(table.shape, command, "update")
        self.within_limit(1)

        async def run() -> One | None:
            listens = await self.filtering.listens(command, collection, "update")
            if expected is None and not listens:
                return await self._writes.update_one(command, table, key, payload, connection, raw)
            async with several(self._database, connection) as own:
                given = payload
                if listens:
                    given = await self.filtering.updated(own, command, collection, payload, [key])
                if expected is not None:
                    condition = update_condition(table.shape, command, list(given))
                    parts = table.shape.key_texts(key)
                    await require_version(own, command, table, parts, expected, condition)
                return await self._writes.update_one(command, table, key, given, own, raw)

        return await self._persistently(run, connection)

    async def update(
        self,
        command: Command,
        model: Model,
        collection: str,
        keys: Sequence[str],
        payload: Payload,
        *,
        connection: Connection | None = None,
    ) -> list[str]:
        """The same change to all items of the keys; the keys that are there, in order."""
        table = self._tables.of(model, collection)
        permit(table.shape, command, "update")
        self.within_limit(len(keys))

        async def run() -> list[str]:
            if not await self.filtering.listens(command, collection, "update"):
                return await self._writes.update(command, table, keys, payload, connection)
            async with several(self._database, connection) as own:
                given = await self.filtering.updated(own, command, collection, payload, keys)
                return await self._writes.update(command, table, keys, given, own)

        return await self._persistently(run, connection)

    async def update_each(
        self,
        command: Command,
        model: Model,
        collection: str,
        payloads: Sequence[Payload],
        *,
        connection: Connection | None = None,
    ) -> list[str]:
        """A change of its own to each item, whose key stands in the payload; the keys that are there, in
        order."""
        table = self._tables.of(model, collection)
        permit(table.shape, command, "update")
        self.within_limit(len(payloads))
        if not payloads:
            return []

        async def run() -> list[str]:
            if not await self.filtering.listens(command, collection, "update"):
                return await self._writes.update_each(command, table, payloads, connection)
            async with several(self._database, connection) as own:
                given = await self.filtering.updated_each(own, command, table.shape, payloads)
                return await self._writes.update_each(command, table, given, own)

        return await self._persistently(run, connection)

    async def delete(
        self,
        command: Command,
        model: Model,
        collection: str,
        keys: Sequence[str],
        *,
        expected: Expected | None = None,
        connection: Connection | None = None,
    ) -> list[str]:
        """Delete items, with all that the database deletes or clears along; the keys that were there.

        Raises:
            PreconditionFailed: when the (only) item's version is not an ``expected`` one.
        """
        table = self._tables.of(model, collection)
        self.within_limit(len(keys))

        async def run() -> list[str]:
            # Deletions are shown before rights are asked, as the reference does.
            listens = bool(keys) and await self.filtering.listens(command, collection, "delete")
            if not listens:
                permit(table.shape, command, "delete")
            if not keys:
                return []
            if expected is None and not listens:
                return await self._writes.delete(command, table, keys, connection)
            async with several(self._database, connection) as own:
                wanted = keys
                if listens:
                    wanted = await self.filtering.deleted(own, command, collection, keys)
                    permit(table.shape, command, "delete")
                if not wanted:
                    return []
                if expected is not None:
                    condition = condition_of(table.shape, command, deletable(table.shape, command))
                    parts = table.shape.key_texts(wanted[0])
                    await require_version(own, command, table, parts, expected, condition)
                return await self._writes.delete(command, table, wanted, own)

        return await self._persistently(run, connection)

    async def upsert_singleton(
        self,
        command: Command,
        model: Model,
        collection: str,
        payload: Payload,
        *,
        expected: Expected | None = None,
        connection: Connection | None = None,
    ) -> str:
        """Change the one row of a singleton, or create it; its key.

        Raises:
            PreconditionFailed: when the row's version is not an ``expected`` one, or when there is none.
        """
        table = self._tables.of(model, collection)

        async def run() -> str:
            async with several(self._database, connection) as own:
                key = await first_key(own, table)
                if expected is not None:
                    if key is None:
                        raise PreconditionFailed(collection, "", [])
                    condition = update_condition(table.shape, command, list(payload))
                    parts = table.shape.key_texts(key)
                    await require_version(own, command, table, parts, expected, condition)
                if key is None:
                    return (await self.create(command, model, collection, [payload], connection=own))[0]
                await self.update(command, model, collection, [key], payload, connection=own)
                return key

        return await self._persistently(run, connection)

    async def _persistently(
        self, run: Callable[[], Awaitable[_Found]], connection: Connection | None
    ) -> _Found:
        with at_most(self._writes.limits.timeout):
            return await persistently(run, connection)

    async def reached(
        self,
        command: Command,
        model: Model,
        collection: str,
        keys: Iterable[str],
        action: Action,
        *,
        connection: Connection,
    ) -> set[str]:
        """Those of some keys with whose items the command's rights let it do something, in the transaction
        of a write."""
        shape = self._tables.of(model, collection).shape
        named = _canonical(shape, keys)
        found = await self._reader.reached(
            model, command.rights, command.caller, collection, list(named), action, connection=connection
        )
        return {text for row in found for text in named[shape.key_in(row) or ""]}

    def seal(self, text: str) -> str:
        """A secret that has to be read again, encrypted.

        Raises:
            InvalidPayload: when there is no key to do it with.
        """
        if self._seal is None:
            raise InvalidPayload("Without SECRET this can't be stored")
        return self._seal.close(text)

    def mark(self, content: bytes) -> str:
        """By what the same content is known again, without telling anything of it."""
        if self._seal is None:
            raise InvalidPayload("Without SECRET this can't be stored")
        return self._seal.mark(content)

    async def items(
        self, command: Command, model: Model, collection: str, keys: Iterable[str], *, connection: Connection
    ) -> dict[str, Payload]:
        """Those of some keys whose items the command's caller sees, with all their fields, in the
        transaction of a write; he has to see their keys."""
        shape = self._tables.of(model, collection).shape
        named = _canonical(shape, keys)
        body = await self._reader.by_keys(
            model,
            command.rights,
            command.caller,
            collection,
            list(named),
            {"fields": ["*"]},
            connection=connection,
        )
        rows = orjson.loads(body)["data"]
        return {text: row for row in rows for text in named[shape.key_in(row) or ""]}

    async def item(
        self, command: Command, model: Model, collection: str, key: str, *, connection: Connection
    ) -> Payload | None:
        """An item with all its fields as the caller sees it, in the transaction of a write; None for none."""
        found = await self._reader.item(
            model, command.rights, command.caller, collection, key, {"fields": ["*"]}, connection=connection
        )
        return None if found is None else orjson.loads(found)["data"]

    async def hold(self, model: Model, collection: str, key: str, connection: Connection) -> None:
        """Lock an item until the transaction ends.

        Raises:
            Forbidden: when there is no such item.
        """
        table = self._tables.of(model, collection)
        try:
            await require_version(
                connection, Command.internal(), table, table.shape.key_texts(key), (ANY_VERSION,), None
            )
        except PreconditionFailed as error:
            raise Forbidden() from error

    async def standings(
        self, model: Model, users: Iterable[UUID], *, connection: Connection
    ) -> dict[UUID, tuple[Caller, Rights]]:
        """Users and what they may do, in the transaction of a write; those who are not there are left out."""
        # Nothing outlives the transaction, so nothing can be stale.
        store = RightsStore(self._database, self._reader, passing=True)
        found: dict[UUID, tuple[Caller, Rights]] = {}
        with binding(connection):
            for user, role in (await store.roles_of(users)).items():
                caller = Caller(user=user, role=role)
                standing = await store.standing(model, caller)
                found[user] = standing.of(caller), standing.rights
        return found

    def within_limit(self, items: int) -> None:
        """Raises InvalidPayload when one request may not write as many items."""
        limit = self._writes.most
        if limit is not None and items > limit:
            raise InvalidPayload(f"Exceeded max batch mutation limit of {limit}")


def _canonical(shape: Shape, keys: Iterable[str]) -> dict[str, list[str]]:
    """Keys in their canonical form, each with the texts it came as; without what can't be a key."""
    found: dict[str, list[str]] = {}
    for key in keys:
        with suppress(Forbidden):
            found.setdefault(shape.canonical(key), []).append(key)
    return found
