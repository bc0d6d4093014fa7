"""Content versions at work: saving changes, comparing, promoting, and reading an item as it would be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

import orjson
from psycopg.types.json import Jsonb

from domain.access.command import Command
from domain.errors import Forbidden, InvalidPayload, UnprocessableContent
from domain.items.content_versions import (
    DATE,
    USER,
    Item,
    changes_of,
    check_changes,
    content_of,
    to_write,
    with_key,
    without_new_keys,
)
from domain.model.schema import Collection, Model
from projections.database import Connection, Database
from projections.reading.reader import Reader
from projections.sql import load
from projections.tables.item_writer import ItemWriter

SQL = load("system/content_versions")
VERSIONS = "directus_versions"
Read = Callable[[Connection], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class _Version:
    id: str
    collection: Collection
    item: str
    hash: str | None
    delta: Item | None


class Promoted(NamedTuple):
    """What was written into which item."""

    payload: Item
    collection: str
    item: str
    version: str


class ContentVersions:
    """All that is done with versions beyond creating, renaming and deleting them."""

    def __init__(self, database: Database, reader: Reader, writer: ItemWriter) -> None:
        self._database = database
        self._reader = reader
        self._writer = writer

    async def save(self, command: Command, model: Model, id: str, changes: Any) -> Item:
        """Put changes into a version: the item as it is, with all changes of the version over it.

        Raises:
            Forbidden: when the caller can't see version or item.
            InvalidPayload: for changes that can't be kept.
        """
        version = await self._visible(command, model, id)
        given = check_changes(model, version.collection, changes)
        async with self._database.transaction() as connection:
            row = await (await connection.execute(SQL["hold"], {"id": version.id})).fetchone()
            if row is None:
                raise Forbidden()
            main = await self._main(command, model, version, connection)
            user = str(command.caller.user) if command.caller.user else None
            moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            delta = {**(row[0] or {}), **given, USER: user, DATE: moment}
            values = {
                "id": version.id,
                "delta": Jsonb(delta),
                "changes": Jsonb(given),
                "actor": command.caller.user,
                "request": command.request,
                "context": command.context,
            }
            await connection.execute(SQL["save"], values)
        return {**main, **delta}

    async def shaped(self, command: Command, model: Model, id: str) -> Item | None:
        """The changes of a version as those of the item, with its key; None while it has none."""
        version = await self._visible(command, model, id)
        if version.delta is None:
            return None
        return with_key(version.collection, version.item, changes_of(version.collection, version.delta))

    async def compare(self, command: Command, model: Model, id: str) -> Item:
        """Version and item side by side, and whether the item has moved on since."""
        version = await self._visible(command, model, id)
        async with self._database.connection() as connection:
            main = await self._main(command, model, version, connection)
            print_ = await self._mark(command, model, version, connection)
        current = with_key(version.collection, version.item, changes_of(version.collection, version.delta))
        return {"outdated": version.hash != print_, "mainHash": print_, "current": current, "main": main}

    async def promote(self, command: Command, model: Model, id: str, body: Mapping[str, Any]) -> Promoted:
        """Write the changes of a version, or some fields of them, into the item.

        Raises:
            UnprocessableContent: when the item is not what ``mainHash`` says, or there is nothing to write.
        """
        wanted, fields = _promotion(body)
        version = await self._visible(command, model, id)
        async with self._database.transaction() as connection:
            await self._writer.hold(model, version.collection.name, version.item, connection)
            if await self._mark(command, model, version, connection) != wanted:
                raise UnprocessableContent("Main item has changed since this version was last updated")
            if version.delta is None:
                raise UnprocessableContent("No changes to promote")
            changes = to_write(version.collection, version.delta)
            payload = {name: value for name, value in changes.items() if fields is None or name in fields}
            noted = command.noting(version=version.id)
            name, keys = version.collection.name, [version.item]
            filters = self._writer.filtering.filters
            if filters is not None:
                payload = await filters.promoted(
                    connection, command.caller, name, version.item, str(version.id), payload
                )
            await self._writer.update(noted, model, name, keys, payload, connection=connection)
        return Promoted(payload, name, version.item, str(version.id))

    async def read(
        self,
        command: Command,
        model: Model,
        collection: str,
        item: str | None,
        key: str,
        *,
        raw: bool,
        ask: Read,
        typed: bool = False,
    ) -> bytes | None:
        """The item envelope that ``ask`` gives once the caller has promoted a version, which then is taken
        back.

        ``item`` is None for that of a singleton. With ``raw`` the changes are laid over the item as they were
        sent; so they are for who may not promote them, in the members asked for. Items that the version would
        create have no key. ``typed`` is for answers whose members have to be of their types: such items have
        the key they were given for the moment, and who may not promote gets no answer.

        Raises:
            Forbidden
        """
        found = model.collections[collection]
        version = await self._of_key(command, model, found, item, key)
        if version is None and not raw:
            raise Forbidden()
        async with self._database.connection() as connection:
            if version is None or version.delta is None:
                return await ask(connection)
            if raw:
                return _laid_over(await ask(connection), version)
            try:
                return await self._promoted(command, model, version, connection, ask, new_keys=typed)
            except Forbidden:
                if typed:
                    raise
            return _laid_over(await ask(connection), version, asked_only=True)

    async def _promoted(
        self,
        command: Command,
        model: Model,
        version: _Version,
        connection: Connection,
        ask: Read,
        *,
        new_keys: bool,
    ) -> bytes | None:
        """What an item would be like: written and read in a transaction that is rolled back.

        With the caller's own rights: changes could make rules fit that hide something from him.
        """
        trial = replace(command.noting(silent=True), request=uuid4())
        changes = to_write(version.collection, version.delta)
        name = version.collection.name
        async with connection.transaction(force_rollback=True):
            await self._writer.update(trial, model, name, [version.item], changes, connection=connection)
            answer = await ask(connection)
            if new_keys:
                return answer
            cursor = await connection.execute(SQL["created"], {"request": trial.request})
            created = [(row[0], row[1]) for row in await cursor.fetchall()]
        if answer is None or not created:
            return answer
        data = orjson.loads(answer)["data"]
        return orjson.dumps({"data": without_new_keys(model, version.collection, data, created)})

    async def _mark(self, command: Command, model: Model, version: _Version, connection: Connection) -> str:
        """What tells the whole item from what it was, also where the caller sees but a part of it."""
        whole = await self._main(command.unlimited(), model, version, connection)
        return self._writer.mark(content_of(whole))

    async def _main(self, command: Command, model: Model, version: _Version, connection: Connection) -> Item:
        found = await self._writer.item(
            command, model, version.collection.name, version.item, connection=connection
        )
        if found is None:
            raise Forbidden()
        return found

    async def _visible(self, command: Command, model: Model, id: str) -> _Version:
        query = {"fields": ["id", "collection", "item", "hash", "delta"]}
        body = await self._reader.item(model, command.rights, command.caller, VERSIONS, id, query)
        found = None if body is None else _version(model, orjson.loads(body)["data"])
        if found is None:
            raise Forbidden()
        return found

    async def _of_key(
        self, command: Command, model: Model, collection: Collection, item: str | None, key: str
    ) -> _Version | None:
        conditions = {"key": key, "collection": collection.name}
        if item is not None:
            conditions["item"] = item
        query = {
            "fields": ["id", "collection", "item", "hash", "delta"],
            "filter": {"_and": [{name: {"_eq": value}} for name, value in conditions.items()]},
            "limit": 1,
        }
        rows = await self._reader.rows(model, command.rights, command.caller, VERSIONS, query)
        return _version(model, rows[0]) if rows else None


def _version(model: Model, row: Mapping[str, Any]) -> _Version | None:
    collection = model.collections.get(row["collection"])
    if collection is None:
        return None
    return _Version(row["id"], collection, row["item"], row["hash"], row["delta"])


def _laid_over(answer: bytes | None, version: _Version, *, asked_only: bool = False) -> bytes | None:
    if answer is None or version.delta is None:
        return answer
    kept = {name: value for name, value in version.delta.items() if name not in (USER, DATE)}
    data = orjson.loads(answer)["data"]
    if asked_only:
        return orjson.dumps({"data": {name: kept.get(name, value) for name, value in data.items()}})
    return orjson.dumps({"data": with_key(version.collection, version.item, {**data, **kept})})


def _promotion(body: Mapping[str, Any]) -> tuple[str, list[str] | None]:
    wanted, fields = body.get("mainHash"), body.get("fields")
    if not isinstance(wanted, str) or not wanted:
        raise InvalidPayload('"mainHash" is required')
    if fields is not None and not (isinstance(fields, list) and all(isinstance(one, str) for one in fields)):
        raise InvalidPayload('"fields" must be an array of names')
    return wanted, fields
