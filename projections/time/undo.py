"""Undo: what a command, or a user in a span of time, did to items is met by its opposite, as a new command.

Items that were created go, deleted ones come back (with the rows the database deleted along, since those have
events of the same command), changed fields get the values they had before. What happened since stands against
it: then nothing is done, or, asked for, those items are left and listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from domain.access.command import Command
from domain.access.rights import Rights
from domain.errors import Forbidden, InvalidPayload, UndoConflict
from domain.model import Collection, Model
from projections.database import Connection, Database
from projections.errors import Attempt, translate
from projections.files.versions import follow_rows
from projections.log.archived import archived_hint, last_archived
from projections.log.rebuild import NO_HISTORY
from projections.reading.reader import Reader
from projections.schema.service import SchemaService
from projections.sql import load
from projections.system.guards.base import require_admin
from projections.tables.store import ModelStore
from projections.time.conflicts import find_conflicts
from projections.time.in_place import SQL as IN_PLACE
from projections.time.in_place import set_aside, write_differing
from projections.time.rows import key_of, parents_first, same_row
from projections.time.undo_rights import check_rights

SQL: Final = load("time/undo")
LISTED: Final = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """Which events to undo: of a request, of the command of an activity, or of a user from .. until."""

    request: UUID | None = None
    activity: int | None = None
    user: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(slots=True)
class Undone:
    """What was done to which items, what was left and why, and what the schema's undo told."""

    items: list[dict[str, Any]] = field(default_factory=list)
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    schema: Mapping[str, Any] | None = None


class Undo:
    """Undoes commands."""

    def __init__(self, database: Database, store: ModelStore, reader: Reader, schema: SchemaService) -> None:
        self._database = database
        self._store = store
        self._reader = reader
        self._schema = schema

    async def undo(self, command: Command, asked: Asked, *, skip: bool = False, dry: bool = False) -> Undone:
        """Undo; with ``skip`` items that something stands against are left. A ``dry`` one changes nothing.

        Raises:
            UndoConflict: something stands against it and ``skip`` was not asked for.
            Forbidden: to others than administrators where the events are not all theirs, or the rights to
                write the items the way back are lacking.
            InvalidPayload: when there is no such event, or a change of the schema among many commands.
        """
        schema = await self._of_schema(command, asked)
        if schema is not None:
            told = await self._schema.undo(command, schema, dry=dry)
            return Undone(schema=told)
        try:
            return await self._run(command, asked, skip=skip, dry=dry, forced=False)
        except (psycopg.errors.UniqueViolation, psycopg.errors.ForeignKeyViolation):
            # No order of steps does it: values go round, or rows refer to each other in a circle.
            return await self._run(command, asked, skip=skip, dry=dry, forced=True)
        except psycopg.Error as error:
            raise translate(error, Attempt(self._store.current, "", (), ())) from error

    async def _of_schema(self, command: Command, asked: Asked) -> int | None:
        async with self._database.transaction() as connection:
            count, own, schema = await _ask(connection, command, asked)
            # What nobody did is nobody's own; and which events there are is no business of others.
            if not command.rights.admin and (command.caller.user is None or not own or count == 0):
                raise Forbidden()
            if count == 0:
                raise InvalidPayload(f"There are no such events{await archived_hint(connection)}")
        if schema is not None and asked.user is not None:
            raise InvalidPayload(
                f"A change of the schema is among the events ({schema}): undo it by its own activity"
            )
        return schema

    async def _run(self, command: Command, asked: Asked, *, skip: bool, dry: bool, forced: bool) -> Undone:
        model = self._store.current
        undone = Undone()
        async with self._database.transaction() as connection:
            await _ask(connection, command, asked)
            entries = await _plan(connection, model)
            await _settle_conflicts(connection, model, command.rights, entries, undone, skip=skip)
            rows = await (await connection.execute(SQL["outcome"])).fetchall()
            undone.items = [
                {"collection": name, "item": item, "action": what, "fields": fields}
                for name, item, what, fields in rows
            ]
            if not command.rights.admin:
                await check_rights(self._reader, model, command, undone.items, connection)
            noted = command.noting(undo=_noted(asked))
            if forced:
                await _write_forced(connection, noted, entries)
            else:
                await _write(connection, noted, model, entries)
            await _files(connection, noted)
            if any(entry.system for entry in entries):
                await require_admin(connection)
                await connection.execute(IN_PLACE["notify_rights"])
                await self._store.announce(connection)
            await _end(dry=dry)
        if any(entry.system for entry in entries):
            await self._store.refresh()
        return undone


async def _end(*, dry: bool) -> None:
    if dry:
        raise psycopg.Rollback


def _told(rights: Rights, reason: str, about: list[str] | None) -> list[str] | None:
    """The fields that a conflict is about; of items that others refer to, the collections of those others."""
    if about is None or reason != "referred":
        return about
    return [name for name in about if rights.may(name, "read")] or None


def _noted(asked: Asked) -> Any:
    if asked.request is not None:
        return str(asked.request)
    if asked.activity is not None:
        return asked.activity
    return {"user": str(asked.user)}


async def _ask(connection: Connection, command: Command, asked: Asked) -> tuple[int, bool, int | None]:
    if asked.request is not None:
        statement = SQL["ask_request"].format(request=sql.Literal(asked.request))
    elif asked.activity is not None:
        statement = SQL["ask_activity"].format(activity=sql.Literal(asked.activity))
    else:
        statement = SQL["ask_user"].format(
            user=sql.Literal(asked.user), since=sql.Literal(asked.since), until=sql.Literal(asked.until)
        )
    await connection.execute(statement)
    row = await (await connection.execute(SQL["asked"], {"actor": command.caller.user})).fetchone()
    assert row is not None
    count, own, schema, first = row
    last = await last_archived(connection)
    if last is not None and (
        (first is not None and first <= last.seq)
        or (asked.activity or last.seq + 1) <= last.seq
        or (asked.since is not None and asked.since <= last.at)
    ):
        raise last.refusal()
    return count, own, schema


async def _plan(connection: Connection, model: Model) -> list[Collection]:
    await connection.execute('create index on "acta asked" (seq)')
    await connection.execute('create index on "acta asked" (collection, item)')
    await connection.execute(SQL["plan"])
    entries = []
    for (name,) in await (await connection.execute(SQL["planned_collections"])).fetchall():
        entry = model.collections.get(name)
        if entry is None or not entry.writable or not entry.returning or name in NO_HISTORY:
            raise InvalidPayload(f'What happened to items of "{name}" can\'t be undone')
        entries.append(entry)
        look = SQL["look"].format(
            table=sql.Identifier(entry.schema, entry.table), same=same_row(entry, sql.SQL("p.item"))
        )
        await connection.execute(look, {"collection": name})
    await connection.execute(SQL["aim"])
    await connection.execute(SQL["drop_settled"])
    return entries


async def _settle_conflicts(
    connection: Connection,
    model: Model,
    rights: Rights,
    entries: Sequence[Collection],
    undone: Undone,
    *,
    skip: bool,
) -> None:
    while True:
        await find_conflicts(connection, model, entries)
        await connection.execute(SQL["contents_gone"])
        rows = await (await connection.execute(SQL["conflicts"], {"limit": LISTED})).fetchall()
        found = [
            {"collection": name, "item": item, "reason": reason, "fields": _told(rights, reason, about)}
            for name, item, reason, about in rows
        ]
        if not found:
            return
        if not skip:
            raise UndoConflict(found)
        # What is left out may be what others rest on, so look again.
        undone.conflicts += found[: LISTED - len(undone.conflicts)]
        await connection.execute(SQL["drop_conflicts"])


async def _write(
    connection: Connection, command: Command, model: Model, entries: Sequence[Collection]
) -> None:
    ordered = parents_first(model, entries)
    for kind, order in (("insert", ordered), ("update", ordered), ("delete", ordered[::-1])):
        for entry in order:
            columns = [column for column, about in entry.columns.items() if about.generation is None]
            changed = [column for column in columns if column not in entry.primary_key]
            if kind == "update" and not changed:
                continue
            statement = SQL[kind].format(
                table=sql.Identifier(entry.schema, entry.table),
                columns=sql.SQL(", ").join(map(_name, columns)),
                values=sql.SQL(", ").join(sql.SQL("r.{}").format(_name(column)) for column in columns),
                changes=sql.SQL(", ").join(
                    sql.SQL("{0} = r.{0}").format(_name(column)) for column in changed
                ),
                key=key_of(entry),
                same=same_row(entry, sql.SQL("u.item")),
            )
            await connection.execute(statement, _origin(command, entry.name))


async def _write_forced(connection: Connection, command: Command, entries: Sequence[Collection]) -> None:
    async with set_aside(connection, entries):
        for entry in entries:
            statement = SQL["as_differing"].format(collection=sql.Literal(entry.name))
            await connection.execute(statement)
            await write_differing(connection, entry, _origin(command, entry.name))
            await connection.execute(IN_PLACE["done"])


async def _files(connection: Connection, command: Command) -> None:
    """Objects follow the rows of files."""
    for item, first in await (await connection.execute(SQL["files"])).fetchall():
        await follow_rows(connection, command, [item], first - 1, keep_deleted=True)


def _name(column: str) -> sql.Identifier:
    return sql.Identifier(column.replace("%", "%%"))


def _origin(command: Command, collection: str) -> dict[str, Any]:
    return {
        "collection": collection,
        "actor": command.caller.user,
        "request": command.request,
        "context": command.context,
        "meta": Jsonb(dict(command.notes)),
    }
