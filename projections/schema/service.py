"""Schema commands: each one transaction of DDL, metadata rows and events, announced to every process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psycopg

from domain.access.command import Command
from domain.errors import Forbidden, InvalidPayload
from domain.model import wire
from domain.model.drafts import collection_draft, field_draft, relation_draft
from domain.model.schema import Model
from domain.model.schema_diff import (
    check_applicable,
    check_diff,
    check_snapshot,
    check_system_fields,
    diff_snapshots,
    is_empty,
)
from domain.model.snapshot import fingerprint, snapshot
from domain.model.translations import Wish, wish_of
from projections.database import Database
from projections.schema import collections, fields, relations
from projections.schema.apply import apply_diff
from projections.schema.filtering import ModelFiltering
from projections.schema.later import make_later
from projections.schema.refusals import refusal
from projections.schema.rename import rename_collection_with_metadata, rename_field_with_metadata
from projections.schema.retype import retype
from projections.schema.translations import make_translatable
from projections.schema.undo import undo
from projections.schema.work import Work
from projections.sql import load
from projections.tables.store import ModelStore

Object = dict[str, Any]
Found = TypeVar("Found")

_STATEMENTS = load("schema/session")
_LOCK_KEY = 0x61637461_736368  # "acta", "sch": any number that nobody else takes
LOCK_TIMEOUT = 2_000
"""Milliseconds that DDL waits for a table: everybody who comes later waits behind it."""


class SchemaService:
    """All commands that change the model. Every answer is a wire object, read after the commit."""

    def __init__(
        self,
        database: Database,
        store: ModelStore,
        *,
        schemas: Sequence[str] = ("public",),
        lock_timeout: int = LOCK_TIMEOUT,
    ) -> None:
        self._database = database
        self._store = store
        self._home = schemas[0]
        self._lock_timeout = lock_timeout
        self._turn = asyncio.Lock()
        self.filtering = ModelFiltering()

    @asynccontextmanager
    async def work(
        self, command: Command, *, concurrently: bool = False, dry: bool = False
    ) -> AsyncIterator[Work]:
        """One transaction of schema steps; the model is current again when the block has ended.

        A ``dry`` one is rolled back in the end, and the ``statements`` it ran are what it was for.

        Raises:
            ActaError: for what PostgreSQL refuses; nothing is changed then.
        """
        # Waiting here costs no connection; the advisory lock is for the other processes.
        async with self._turn:
            async with self._transaction(command, concurrently) as work:
                work.dry = dry
                yield work
                await self._end(work, dry=dry)
            if dry:
                return
            await self._afterwards(work)
            await self._store.refresh()

    async def _end(self, work: Work, *, dry: bool) -> None:
        if dry:
            raise psycopg.Rollback
        await self._store.announce(work.connection)

    @asynccontextmanager
    async def _transaction(self, command: Command, concurrently: bool) -> AsyncIterator[Work]:
        work: Work | None = None
        try:
            async with self._database.transaction() as connection:
                await connection.execute(_STATEMENTS["take_turn"], {"key": _LOCK_KEY})
                await connection.execute(_STATEMENTS["settle"], {"milliseconds": str(self._lock_timeout)})
                model = await self._store.preview(connection)
                work = Work(connection, command, self._store, model, self._home, concurrently=concurrently)
                yield work
        except psycopg.Error as error:
            refused = refusal(error, *(work.about if work else ()))
            if refused is None:
                raise
            raise refused from error

    async def _afterwards(self, work: Work) -> None:
        """Indexes made concurrently."""
        await make_later(self._database, work.later)
        if work.later:
            async with self._database.transaction() as connection:
                await self._store.announce(connection)

    # Collections

    async def create_collections(
        self, command: Command, body: Any, *, concurrently: bool = False
    ) -> Object | list[Object]:
        """POST /collections: one, or several in one transaction."""
        _administrators(command)
        async with self.work(command, concurrently=concurrently) as work:
            asked = body if isinstance(body, list) else [body]
            drafts = [collection_draft(await self.filtering.new_collection(work, entry)) for entry in asked]
            taken: set[str] = set()
            for draft in drafts:
                await collections.create_collection(work, draft, taken)
        found = [self._collection(draft.name) for draft in drafts]
        return found if isinstance(body, list) else found[0]

    async def update_collection(self, command: Command, name: str, body: Any) -> Object:
        """PATCH /collections/:name."""
        _administrators(command)
        if not isinstance(body, Mapping):
            raise InvalidPayload('"value" must be of type object')
        async with self.work(command) as work:
            await self._update_collection(work, name, body)
        return self._collection(name)

    async def _update_collection(self, work: Work, name: str, body: Mapping[str, Any]) -> None:
        changes = await self.filtering.changed_collection(work, name, body)
        await collections.update_collection(work, name, changes.get("meta"))

    async def update_collections(self, command: Command, body: Any) -> list[Object]:
        """PATCH /collections: several in one transaction."""
        _administrators(command)
        if not isinstance(body, list):
            raise InvalidPayload('"value" must be an array')
        names = [_member(entry, "collection") for entry in body]
        if not names:
            return []
        async with self.work(command) as work:
            for name, entry in zip(names, body, strict=True):
                await self._update_collection(work, name, entry)
        return [self._collection(name) for name in dict.fromkeys(names)]

    async def delete_collection(self, command: Command, name: str) -> None:
        """DELETE /collections/:name."""
        _administrators(command)
        async with self.work(command) as work:
            if await self.filtering.is_going(work, name):
                await collections.delete_collection(work, name)

    # Fields

    async def create_field(
        self, command: Command, collection: str, body: Any, *, concurrently: bool = False
    ) -> Object | None:
        """POST /fields/:collection; None when nothing was asked for."""
        _administrators(command)
        await self._known(collection)
        async with self.work(command, concurrently=concurrently) as work:
            draft = field_draft(await self.filtering.new_field(work, collection, body))
            await fields.create_field(work, collection, draft)
        return self._field(collection, draft.name)

    async def _known(self, collection: str) -> None:
        if self._store.current.collection(collection) is None:
            # Another process may have made it a moment ago.
            await self._store.refresh()
        fields.known_in(self._store.current, collection)

    async def update_field(
        self, command: Command, collection: str, name: str, body: Any, *, concurrently: bool = False
    ) -> Object:
        """PATCH /fields/:collection/:field."""
        _administrators(command)
        async with self.work(command, concurrently=concurrently) as work:
            changes = await self.filtering.changed_field(work, collection, name, body)
            await fields.update_field(work, collection, name, changes)
        found = self._field(collection, name)
        if found is None:
            raise Forbidden()
        return found

    async def update_fields(
        self, command: Command, collection: str, body: Any, *, concurrently: bool = False
    ) -> list[Object]:
        """PATCH /fields/:collection: one after another, so that those before a refused one stay changed."""
        _administrators(command)
        if not isinstance(body, list):
            raise InvalidPayload('"value" must be an array')
        names = [_member(entry, "field") for entry in body]
        found = []
        for name, entry in zip(names, body, strict=True):
            found.append(await self.update_field(command, collection, name, entry, concurrently=concurrently))
        return found

    async def delete_field(self, command: Command, collection: str, name: str) -> None:
        """DELETE /fields/:collection/:field."""
        _administrators(command)
        async with self.work(command) as work:
            if await self.filtering.is_field_going(work, collection, name):
                await fields.delete_field(work, collection, name)

    # Relations

    async def create_relation(self, command: Command, body: Any) -> Object:
        """POST /relations."""
        _administrators(command)
        async with self.work(command) as work:
            draft = relation_draft(await self.filtering.new_relation(work, body))
            await relations.create_relation(work, draft)
        return self._relation(draft.collection, draft.field)

    async def update_relation(self, command: Command, collection: str, field: str, body: Any) -> Object:
        """PATCH /relations/:collection/:field."""
        _administrators(command)
        async with self.work(command) as work:
            changes = await self.filtering.changed_relation(work, collection, field, body)
            await relations.update_relation(work, collection, field, changes)
        return self._relation(collection, field)

    async def delete_relation(self, command: Command, collection: str, field: str) -> None:
        """DELETE /relations/:collection/:field."""
        _administrators(command)
        async with self.work(command) as work:
            if await self.filtering.is_relation_going(work, collection, field):
                await relations.delete_relation(work, collection, field)

    async def make_translatable(self, command: Command, body: Any) -> tuple[Wish, bool, bool]:
        """POST /utils/translations/generate: what was asked for, and whether the translations and the
        languages are new."""
        _administrators(command)
        async with self.work(command) as work:
            wish = wish_of(body, work.model)
            created, languages = await make_translatable(work, wish, self.filtering)
        return wish, created, languages

    # Snapshots

    def snapshot(self, command: Command) -> Object:
        """GET /schema/snapshot."""
        _administrators(command)
        return snapshot(self.model)

    async def diff(self, command: Command, document: Any, *, force: bool = False) -> Object | None:
        """POST /schema/diff: ``{hash, diff}``, None when nothing differs."""
        _administrators(command)
        target = check_snapshot(document, force=force)
        await self._store.refresh()
        current = snapshot(self.model)
        found = diff_snapshots(current, target)
        return None if is_empty(found) else {"hash": fingerprint(current), "diff": found}

    async def apply(
        self, command: Command, body: Any, *, force: bool = False, dry: bool = False
    ) -> list[str]:
        """POST /schema/apply; the DDL that was run. A ``dry`` one changes nothing."""
        _administrators(command)
        expected, diff = check_diff(body)
        if is_empty(diff):
            return []
        async with self.work(command, dry=dry) as work:
            work.silent = True
            current = snapshot(work.model)
            check_system_fields(diff)
            if not force:
                check_applicable(current, diff, expected)
            await apply_diff(work, current, diff)
        return work.statements

    # Beyond the reference

    async def rename(self, command: Command, body: Any, *, dry: bool = False) -> list[str]:
        """Another name for ``collection``, or for its ``field``; the DDL that was run."""
        _administrators(command)
        collection = _member(body, "collection")
        field = None if body.get("field") is None else _member(body, "field")
        async with self.work(command, dry=dry) as work:
            if field is None:
                await rename_collection_with_metadata(work, collection, body.get("name"))
            else:
                await rename_field_with_metadata(work, collection, field, body.get("name"))
        return work.statements

    async def retype(self, command: Command, body: Any, *, dry: bool = False) -> Object:
        """Another type for a field: how many values it changes or can't hold, and the DDL that was run."""
        _administrators(command)
        collection, field = _member(body, "collection"), _member(body, "field")
        async with self.work(command, dry=dry) as work:
            wanted = body if dry else await self.filtering.changed_type(work, collection, field, body)
            found = await retype(work, collection, field, wanted)
        return {**found, "statements": work.statements}

    async def undo(self, command: Command, event: int, *, dry: bool = False) -> Object:
        """Take back the command that an event was part of: what was taken back, and the DDL that was run."""
        _administrators(command)
        async with self.work(command, dry=dry) as work:
            undone = await undo(work, event)
        return {"undone": undone, "statements": work.statements}

    # Answers

    @property
    def model(self) -> Model:
        """The current model."""
        return self._store.current

    def _collection(self, name: str) -> Object:
        return wire.collection(_there(self.model.collections.get(name)), self._home)

    def _field(self, collection: str, name: str) -> Object | None:
        owner = self.model.collections.get(collection)
        entry = owner and (owner.fields.get(name) or owner.leftovers.get(name))
        return wire.field(entry, owner, self._home) if owner and entry else None

    def _relation(self, collection: str, field: str) -> Object:
        return wire.relation(_there(relations.find_relation(self.model, collection, field)), self._home)


def _administrators(command: Command) -> None:
    if not command.rights.admin:
        raise Forbidden()


def _member(entry: Any, name: str) -> str:
    value = entry.get(name) if isinstance(entry, Mapping) else None
    if not isinstance(value, str) or not value:
        raise InvalidPayload(f'"{name}" is required')
    return value


def _there(found: Found | None) -> Found:
    if found is None:
        raise Forbidden()
    return found
