"""Going back in place: the tables become what they were, by events that say so. Nothing is rewritten.

One transaction. Changes of the schema behind the cut are met by their opposites, the last one first; then the
items that anything happened to are folded up to the cut and compared with their rows, and what differs is put
right. Foreign keys and triggers of the tables concerned are set aside meanwhile: the rows come in any order,
no trigger makes new values of old ones, and adding the keys again proves that all of it holds together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg import sql

from domain.access.command import Command
from domain.errors import Forbidden, InvalidPayload
from domain.model import Collection
from projections.database import Connection
from projections.files.versions import follow_rows
from projections.log.rebuild import comparable
from projections.schema.service import SchemaService
from projections.schema.undo import Told, take_back
from projections.schema.work import Work
from projections.sql import load
from projections.time.moments import Cut
from projections.time.rows import name, same_row

SQL: Final = load("time/in_place")
FOLD: Final = load("time/states")["fold"]
TOUCHED_ITEMS: Final = sql.SQL(
    'join "acta touched" as asked on asked.collection = %(collection)s and asked.item = e.item'
)
FILES: Final = "directus_files"
SAMPLE: Final = 5
_FIRING: Final = {"O": "ENABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


@dataclass(frozen=True, slots=True)
class Scope:
    """What goes back: everything, the items of a collection, or one item."""

    collection: str | None = None
    item: str | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """What happened in one collection: numbers of items; of some what becomes of which fields."""

    collection: str
    created: int
    updated: int
    deleted: int
    sample: Sequence[tuple[str, str, Sequence[str]]]


@dataclass(slots=True)
class Restored:
    """The outcome: by collection, the schema events met and their DDL, files whose contents are lost."""

    collections: list[Changed] = field(default_factory=list)
    schema: list[tuple[str, str, str]] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def items(self) -> int:
        """The number of items that come back, change or go."""
        return sum(one.created + one.updated + one.deleted for one in self.collections)


async def restore(
    service: SchemaService,
    command: Command,
    cut: Cut,
    scope: Scope,
    *,
    dry: bool = False,
    keep_deleted: bool = False,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Restored:
    """Go back to a cut; a ``dry`` one does all of it and rolls it back.

    Files get the contents they had; with ``keep_deleted`` those of files that go are kept for a while.
    ``progress`` hears collections done, collections in all, and the one at work.

    Raises:
        Forbidden: for callers who are no administrators, and for an unknown collection.
        InvalidPayload: when the rows at the cut don't fit the rows that stay as they are.
    """
    if not command.rights.admin:
        raise Forbidden()
    restored = Restored()
    noted = command.noting(restore=cut.position)
    async with service.work(noted, dry=dry) as work:
        if scope.collection is None:
            await _schema(work, cut, restored)
        await _rows(work, cut, scope, restored, progress)
        await _files(work, cut, restored, keep_deleted=keep_deleted)
        await work.connection.execute(SQL["forget_touched"])
        restored.statements = list(work.statements)
    return restored


async def _schema(work: Work, cut: Cut, restored: Restored) -> None:
    for event in await schema_events(work.connection, cut):
        await take_back(work, event)
        restored.schema.append((event.topic, event.collection, event.item))
    await work.reload()


async def schema_events(connection: Connection, cut: Cut) -> list[Told]:
    """The events of the schema behind a cut that are still in effect, the last one first."""
    found = await (await connection.execute(SQL["schema_events"], cut.parameters())).fetchall()
    behind, met, left = {row[0] for row in found}, set(), []
    for *about, reverted in found:
        event = Told(*about)
        if event.seq in met:
            continue
        if reverted in behind:
            # It and what it took back leave nothing to be done.
            met.add(reverted)
            continue
        left.append(event)
    return left


async def _rows(
    work: Work,
    cut: Cut,
    scope: Scope,
    restored: Restored,
    progress: Callable[[int, int, str], None],
) -> None:
    collections = {entry.name: entry for entry in comparable(work.model)}
    if scope.collection is not None and scope.collection not in collections:
        raise Forbidden.collection(scope.collection)
    touched = SQL["touched"].format(
        upto=sql.Literal(cut.upto),
        later=sql.Literal(cut.later),
        collection=sql.Literal(scope.collection),
        item=sql.Literal(scope.item),
    )
    await work.connection.execute(touched)
    found = await (await work.connection.execute(SQL["touched_collections"])).fetchall()
    chosen = [collections[entry] for entry, _ in found if entry in collections]
    await work.connection.execute(sql.SQL('analyze "acta touched"'))
    # Metadata comes last: the steps before look at it.
    chosen.sort(key=lambda entry: (entry.system, entry.name))
    async with set_aside(work.connection, chosen):
        for number, entry in enumerate(chosen):
            progress(number, len(chosen), entry.name)
            changed = await _collection(work, cut, scope, entry)
            if changed is not None:
                restored.collections.append(changed)
    await work.connection.execute(SQL["notify_rights"])
    progress(len(chosen), len(chosen), "")


async def _files(work: Work, cut: Cut, restored: Restored, *, keep_deleted: bool) -> None:
    rows = await (await work.connection.execute(SQL["touched_files"], {"collection": FILES})).fetchall()
    files = [row[0] for row in rows]
    if files:
        restored.lost = await follow_rows(
            work.connection, work.command, files, cut.upto, cut.later, keep_deleted=keep_deleted
        )


async def _collection(work: Work, cut: Cut, scope: Scope, entry: Collection) -> Changed | None:
    work.about = (entry.name, None)
    table = name(entry.schema, entry.table)
    values: dict[str, Any] = {"collection": entry.name, **cut.parameters(), "young": []}
    if scope.collection is not None:
        row = await (await work.connection.execute(SQL["young_fields"], values)).fetchone()
        values["young"] = row[0] if row else []
    differing = SQL["differing"].format(
        fold=FOLD.format(scope=TOUCHED_ITEMS), table=table, same=same_row(entry, sql.SQL("touched.item"))
    )
    await work.connection.execute(differing, values)
    row = await (await work.connection.execute(SQL["outcome"], {"sample": SAMPLE})).fetchone()
    assert row is not None
    created, updated, deleted, sample = row
    if created or updated or deleted:
        await write_differing(work.connection, entry, {"collection": entry.name, **work.origin({})})
    await work.connection.execute(SQL["done"])
    if not (created or updated or deleted):
        return None
    return Changed(entry.name, created, updated, deleted, [(one, what, tuple(f)) for one, what, f in sample])


async def write_differing(connection: Connection, entry: Collection, origin: dict[str, Any]) -> None:
    """Make the rows of ``"acta differing"`` what they have to become, and tell it; keys must be set aside."""
    table = name(entry.schema, entry.table)
    columns = [column for column, about in entry.columns.items() if about.generation is None]
    remove = SQL["remove"].format(table=table, same_gone=same_row(entry, sql.SQL("gone.item")))
    # With parameters, though it has none, so that per cent signs mean the same everywhere.
    await connection.execute(remove, {})
    refill = SQL["refill"].format(
        table=table,
        columns=sql.SQL(", ").join(map(name, columns)),
        values=sql.SQL(", ").join(sql.SQL("r.{}").format(name(column)) for column in columns),
    )
    await connection.execute(refill, {})
    await connection.execute(SQL["tell"], origin)


def set_aside(connection: Connection, entries: Iterable[Collection]) -> _SetAside:
    """Foreign keys and triggers of tables, gone for the time of the block, proved again at its end."""
    return _SetAside(connection, entries)


class _SetAside:
    def __init__(self, connection: Connection, entries: Iterable[Collection]) -> None:
        self._connection = connection
        self._places = [sql.Identifier(entry.schema, entry.table) for entry in entries]
        self._keys: list[tuple[Any, ...]] = []
        self._triggers: list[tuple[Any, ...]] = []

    async def __aenter__(self) -> None:
        for place in self._places:
            await self._connection.execute(SQL["lock"].format(table=place))
        tables = {"tables": [place.as_string(self._connection) for place in self._places]}
        self._keys = await (await self._connection.execute(SQL["foreign_keys"], tables)).fetchall()
        self._triggers = await (await self._connection.execute(SQL["triggers"], tables)).fetchall()
        # Undoing the schema may have left checks for later.
        await self._connection.execute(SQL["immediate"])
        for schema, table, key, _ in self._keys:
            await self._connection.execute(
                sql.SQL("alter table {} drop constraint {}").format(
                    sql.Identifier(schema, table), sql.Identifier(key)
                )
            )
        for table, trigger, _ in self._triggers:
            await self._trigger(table, trigger, "DISABLE")

    async def __aexit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            return
        await self._connection.execute(SQL["immediate"])
        for table, trigger, firing in self._triggers:
            await self._trigger(table, trigger, _FIRING[firing])
        for schema, table, key, definition in self._keys:
            try:
                await self._connection.execute(
                    sql.SQL("alter table {} add constraint {} {}").format(
                        sql.Identifier(schema, table), sql.Identifier(key), sql.SQL(definition)
                    )
                )
            except psycopg.errors.ForeignKeyViolation as error:
                raise InvalidPayload(
                    f'Items of "{table}" would refer to items that are not there ({key}): '
                    f"{error.diag.message_detail}"
                ) from error

    async def _trigger(self, table: str, trigger: str, what: str) -> None:
        await self._connection.execute(
            sql.SQL("alter table {} {} trigger {}").format(
                sql.SQL(table), sql.SQL(what), sql.Identifier(trigger)
            )
        )
