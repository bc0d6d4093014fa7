"""An earlier state in a place of its own: a new database that `acta serve` can run on, or a new schema.

A database gets everything: types, functions and views as they are now; tables, keys, rows, rights and
metadata as they were; the log up to the cut, so that its roots are those of the original. Each step is
committed and noted, so that a restore that was killed goes on where it was when it is started again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from psycopg import sql
from psycopg.types.json import Jsonb

from domain.access.command import Command
from domain.errors import InvalidPayload
from domain.model import Collection, Model
from domain.model.schema import CollectionKind
from projections.database import Connection, Database
from projections.log.archived import ARRIVING, Source, copy_in, unreadable
from projections.log.archived import SQL as ARCHIVED
from projections.log.prepare import ensure_ranges
from projections.log.rebuild import comparable
from projections.log.seal import ensure_epoch
from projections.prepare import prepare
from projections.schema import remake
from projections.schema.definitions import Definition, table_definition
from projections.schema.undo import take_back
from projections.schema.work import Work
from projections.sql import load
from projections.tables.store import ModelStore
from projections.time.archives import Archive, archives
from projections.time.in_place import FOLD, schema_events
from projections.time.moments import Cut
from projections.time.rows import name
from projections.time.structure import Leftovers, foreign, make_tables

SQL: Final = load("time/into")
EVENTS_AT_ONCE: Final = 100_000
TABLES: Final = (CollectionKind.TABLE, CollectionKind.PARTITIONED)

Progress = Callable[[int, int, str], None]


class IntoDatabase:
    """One restore of a cut of ``source`` into the database ``target``, which has to be empty at first."""

    def __init__(
        self,
        source: Database,
        target: Database,
        cut: Cut,
        schemas: Sequence[str],
        progress: Progress,
        archive: Source = unreadable,
    ) -> None:
        self._source = self._told = source
        self._target = target
        self._cut = cut
        self._schemas = tuple(schemas)
        self._progress = progress
        self._archive = archive
        self.missing: list[str] = []

    async def run(self) -> list[str]:
        """Restore, or go on with it; gives the statements of views and functions that could not be made.

        Raises:
            InvalidPayload: when the target holds something else.
        """
        await self._begin()
        tables = (await self._noted())[1]
        if tables is None:
            tables = await self._structure()
        await self._log()
        if await self._archived():
            # What the source keeps of them tells of their end alone.
            self._told = self._target
        model = (await ModelStore.open(self._target, schemas=self._schemas)).current
        await self._system(model)
        await self._rows(model)
        await self._finish(tables, model)
        return self.missing

    async def _begin(self) -> None:
        async with self._target.transaction() as connection:
            row = await (await connection.execute(SQL["occupied"])).fetchone()
            occupied, restoring = row or (False, False)
            if not occupied:
                await connection.execute(SQL["begin"])
                await connection.execute(SQL["note_position"], {"position": self._cut.position})
            elif not restoring:
                raise InvalidPayload("The database to restore into isn't empty")
        position = (await self._noted())[0]
        if position != self._cut.position:
            raise InvalidPayload(
                f"A restore of position {position} is under way in that database: "
                "go on with that one, or drop the database"
            )

    async def _noted(self) -> tuple[int, list[Definition] | None, list[str]]:
        async with self._target.connection() as connection:
            row = await (await connection.execute(SQL["progress"])).fetchone()
        assert row is not None
        return row[0], row[1], row[2]

    async def _structure(self) -> list[Definition]:
        """Tables as they are now, and from there back to the cut, on empty tables."""
        self._progress(0, 1, "tables")
        await prepare(self._target)
        store = await ModelStore.open(self._target, schemas=self._schemas)
        async with self._source.connection() as source:
            present = await definitions(source, await self._source_model())
            events = await schema_events(source, self._cut)
        leftovers = await self._leftovers()
        async with self._target.transaction() as connection:
            work = Work(connection, Command.internal(), store, store.current, self._schemas[0])
            await leftovers.make_before(connection)
            await make_tables(work, present)
            await leftovers.retry(connection)
            await foreign(work, present)
            await work.reload()
            for event in events:
                await take_back(work, event)
            model = await work.reload()
            tables = await definitions(connection, model)
            for table in tables:
                place = sql.Identifier(table["schema"], table["table"])
                await connection.execute(sql.SQL("drop table {} cascade").format(place))
            # Bare ones: rows come quicker into tables without keys, and in any order.
            for table in tables:
                await remake.make_table(work, table)
            await connection.execute("select set_config('acta.redacting', 'on', true)")
            await connection.execute(SQL["empty_log"])
            await connection.execute(SQL["note_tables"], {"tables": Jsonb(tables)})
        return tables

    async def _leftovers(self) -> Leftovers:
        async with self._source.connection() as source:
            return await Leftovers.of(source)

    async def _source_model(self) -> Model:
        return (await ModelStore.open(self._source, schemas=self._schemas)).current

    async def _archived(self) -> list[Archive]:
        async with self._source.connection() as source:
            return [one for one in await archives(source) if one.first <= self._cut.upto]

    async def _log(self) -> None:
        """The log up to the cut, seals included."""
        async with self._target.transaction() as connection:
            await ensure_ranges(connection, self._cut.upto)
        packed = await self._archived()
        async with self._source.connection() as source, self._target.connection() as target:
            row = await (await target.execute(SQL["last_event"])).fetchone()
            after = row[0] if row else 0
            while after < self._cut.upto:
                self._progress(max(after, 0), self._cut.upto, "log")
                archive = next((one for one in packed if one.last > after), None)
                if archive is not None and archive.first <= after + 1:
                    await self._unpack(target, archive)
                    after = archive.last
                    continue
                # What happened before Acta stands below every position, and comes in one piece.
                end = 0 if after < 0 else min(after + EVENTS_AT_ONCE, self._cut.upto)
                if archive is not None and after >= 0:
                    end = min(end, archive.first - 1)
                values = {"after": after, "end": end, "later": self._cut.later}
                async with target.transaction():
                    await copy(source, target, "export_events", "import_events", values)
                after = end
            async with target.transaction():
                await target.execute(SQL["clear_log"])
                values = self._cut.parameters()
                await copy(source, target, "export_seals", "import_seals", values)
                await copy(source, target, "export_requests", "import_requests", values)
                await copy(source, target, "export_cursors", "import_cursors", values)
                await target.execute(SQL["continue_log"], values)
        await ensure_epoch(self._target)

    async def _unpack(self, target: Connection, archive: Archive) -> None:
        """The events of an archive, in one transaction: its files are in the order of items."""
        async with target.transaction():
            await target.execute(ARCHIVED["make_arriving"])
            await copy_in(target, ARRIVING, self._archive(archive.number))
            values = {"upto": self._cut.upto, "later": self._cut.later}
            await target.execute(SQL["unpack"], values)
            await target.execute('drop table "acta archived"')

    async def _system(self, model: Model) -> None:
        """All system collections, in one transaction: what they hold refers to each other."""
        name = "acta"
        if name in (await self._noted())[2]:
            return
        entries = [entry for entry in comparable(model) if entry.system]
        async with self._told.connection() as source, self._target.transaction() as target:
            work = Work(target, Command.internal(), await ModelStore.open(self._target), model, name)
            defined = [found async for found in _defined(target, entries)]
            for table in defined:
                for key in (one for one in table["constraints"] if one["kind"] == "f"):
                    place = sql.Identifier(table["schema"], table["table"])
                    statement = sql.SQL("alter table {} drop constraint {}")
                    await target.execute(statement.format(place, sql.Identifier(key["name"])))
            for entry in entries:
                await target.execute(
                    sql.SQL("delete from {}").format(sql.Identifier(entry.schema, entry.table))
                )
                await self._fill(source, target, entry)
            await foreign(work, defined)
            async with self._source.connection() as original:
                await self._adoptions(original, target)
            await target.execute(SQL["contents"])
            await target.execute(SQL["note_done"], {"collection": name})

    async def _adoptions(self, source: Connection, target: Connection) -> None:
        await target.execute("delete from acta.adoptions")
        await copy(source, target, "adoptions", "import_adoptions", {})

    async def _rows(self, model: Model) -> None:
        # The bare tables have no keys yet, so the log's names of collections are those of the tables' model.
        done = set((await self._noted())[2])
        entries = [entry for entry in model.collections.values() if entry.kind in TABLES and not entry.system]
        for number, entry in enumerate(entries):
            if entry.name in done:
                continue
            self._progress(number, len(entries), entry.name)
            async with self._told.connection() as source, self._target.transaction() as target:
                await self._fill(source, target, entry)
                await target.execute(SQL["note_done"], {"collection": entry.name})

    async def _fill(self, source: Connection, target: Connection, entry: Collection) -> None:
        values = {"collection": entry.name, **self._cut.parameters()}
        await target.execute(SQL["staging"])
        await copy(source, target, "export", "import", values)
        await target.execute(fill_statement(SQL["fill"], entry), {})
        await target.execute('drop table "acta arriving"')
        await move_sequences(source, target, entry, self._cut)

    async def _finish(self, tables: list[Definition], model: Model) -> None:
        self._progress(1, 1, "keys and indexes")
        leftovers = await self._leftovers()
        store = await ModelStore.open(self._target, schemas=self._schemas)
        async with self._target.transaction() as connection:
            work = Work(connection, Command.internal(), store, model, self._schemas[0])
            for table in tables:
                plain = [one for one in table["constraints"] if one["kind"] != "f"]
                await remake.make_constraints(work, table, plain)
                for index in table["indexes"]:
                    await work.run(remake.make_index(index))
            await foreign(work, tables)
            self.missing = await leftovers.make_after(connection)
            for table in tables:
                for trigger in table["triggers"]:
                    await connection.execute(sql.SQL(trigger))
            await connection.execute(SQL["finish"])
            await store.announce(connection)


async def definitions(connection: Connection, model: Model) -> list[Definition]:
    """Of all tables of the user, as they are."""
    entries = [entry for entry in model.collections.values() if entry.kind in TABLES and not entry.system]
    return [found async for found in _defined(connection, entries)]


async def _defined(connection: Connection, entries: Sequence[Collection]) -> Any:
    for entry in entries:
        found = await table_definition(connection, entry.schema, entry.table)
        if found is not None:
            yield found


def fill_statement(template: sql.SQL, entry: Collection, **more: sql.Composable) -> sql.Composed:
    """The statement, with parameters, that makes rows of states; generated columns make themselves."""
    columns = [column for column, about in entry.columns.items() if about.generation is None]
    return template.format(
        table=name(entry.schema, entry.table),
        columns=sql.SQL(", ").join(map(name, columns)),
        values=sql.SQL(", ").join(sql.SQL("r.{}").format(name(column)) for column in columns),
        **more,
    )


async def move_sequences(source: Connection, target: Connection, entry: Collection, cut: Cut) -> None:
    """Sequences go on behind the highest number that was ever given out before the cut."""
    for column, about in entry.columns.items():
        if about.sequence is None:
            continue
        values = {"collection": entry.name, "column": column, **cut.parameters()}
        row = await (await source.execute(SQL["drawn"], values)).fetchone()
        if row is not None and row[0] is not None and row[0] > 0:
            table = sql.Identifier(entry.schema, entry.table).as_string(target)
            values = {"table": table, "column": column, "value": row[0]}
            await target.execute(SQL["move_sequence"], values)


async def copy(
    source: Connection, target: Connection, export: str, into: str, values: dict[str, Any]
) -> None:
    """Stream one statement's rows from here to there."""
    statement: sql.SQL | sql.Composed = SQL[export]
    if export == "export":
        statement = SQL[export].format(fold=FOLD.format(scope=sql.SQL("")))
    async with (
        source.cursor() as giver,
        target.cursor() as taker,
        giver.copy(statement, values) as outgoing,
        taker.copy(SQL[into]) as incoming,
    ):
        async for data in outgoing:
            await incoming.write(data)
