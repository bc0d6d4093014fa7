"""`acta restore`: an earlier state, in place by events, or in a schema or database of its own."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import EXIT_SETTINGS, fail, say
from cli.targets import bar, ensure_database, masked

if TYPE_CHECKING:
    from domain.log.moments import When
    from domain.settings import Settings
    from projections.database import Database
    from projections.time.in_place import Restored, Scope
    from projections.time.moments import Cut


def restore(
    to: Annotated[
        str,
        typer.Option(
            metavar="WHEN",
            help="A position, a time (2026-01-31T12:00Z), 10m, 2h, 7d ago, or the id of a request.",
        ),
    ],
    into: Annotated[
        str | None,
        typer.Option(
            metavar="SCHEMA|URL", help="A new schema here, or the URL of an empty (or new) database."
        ),
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Append what leads back; asks after a dry run.")
    ] = False,
    collection: Annotated[str | None, typer.Option(help="In place: only this collection.")] = None,
    item: Annotated[str | None, typer.Option(help="In place: only the item of this key.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="In place: tell, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Bring back the state of a moment. The log is never rewritten."""
    import asyncio

    from cli.database import database
    from cli.settings import load_settings
    from domain.log.moments import parse_when
    from projections.time.in_place import Scope

    if in_place == (into is not None):
        fail("say either --in-place or --into", EXIT_SETTINGS)
    if not in_place and (collection or item or dry_run):
        fail("--collection, --item and --dry-run go with --in-place", EXIT_SETTINGS)
    if item is not None and collection is None:
        fail("--item needs --collection", EXIT_SETTINGS)
    when = parse_when(to, "--to")
    with database(load_settings()) as (settings, _):
        if into is not None:
            asyncio.run(_into(settings, when, into))
            return
        scope = Scope(collection, item)
        _planned_and_done(settings, when, scope, dry_run=dry_run, yes=yes)


def _planned_and_done(
    settings: "Settings", when: "When", scope: "Scope", *, dry_run: bool, yes: bool
) -> None:
    import asyncio

    planned = asyncio.run(_in_place(settings, when, scope, dry=True))
    _tell(planned)
    if dry_run or not (planned.collections or planned.schema):
        say("nothing was changed")
        return
    if not yes:
        typer.confirm("Restore?", abort=True)
    done = asyncio.run(_in_place(settings, when, scope, dry=False))
    say(f"restored: {done.items} items")


async def _in_place(settings: "Settings", when: "When", scope: "Scope", *, dry: bool) -> "Restored":
    from domain.access.command import Command
    from projections.database import Database
    from projections.prepare import prepare
    from projections.schema.service import SchemaService
    from projections.tables.store import ModelStore
    from projections.time.in_place import restore

    where = settings.database
    assert where.url is not None
    async with await Database.open(where.url.get_secret_value(), application="acta restore") as database:
        await prepare(database)
        cut = await _cut(database, when)
        await _recalled(settings, database, cut)
        store = await ModelStore.open(database, schemas=where.schemas, exclude=where.exclude_tables)
        service = SchemaService(database, store, schemas=where.schemas)
        with bar("looking" if dry else "restoring") as progress:
            keep = settings.files.keep_deleted > 0
            return await restore(
                service, Command.internal(), cut, scope, dry=dry, keep_deleted=keep, progress=progress
            )


async def _cut(database: "Database", when: "When") -> "Cut":
    from projections.time.moments import cut_at, position_at_moment, settle

    await settle(database)
    async with database.connection() as connection:
        return await cut_at(connection, await position_at_moment(connection, when))


async def _recalled(settings: "Settings", database: "Database", cut: "Cut") -> None:
    """Bring back the archives that hold what happened since."""
    from cli.commands.archive import archiver_on

    archiver = archiver_on(settings, database)
    for archive in reversed(await archiver.archives()):
        if archive.position > cut.position:
            with bar("recalling") as progress:
                await archiver.recall(archive, progress)
            say(f"the log up to position {archive.position} was archived: it is back")


async def _into(settings: "Settings", when: "When", into: str) -> None:
    from cli.commands.archive import archiver_on
    from projections.database import Database
    from projections.time.beside import into_schema
    from projections.time.into import IntoDatabase

    where = settings.database
    assert where.url is not None
    async with await Database.open(where.url.get_secret_value(), application="acta restore") as database:
        cut = await _cut(database, when)
        with bar("restoring") as progress:
            if re.match(r"[a-z]+://", into) is None:
                await _recalled(settings, database, cut)
                tables = await into_schema(database, cut, into, where.schemas, progress)
                say(f'{tables} tables as of position {cut.position} are in schema "{into}"')
                return
            await ensure_database(into)
            async with await Database.open(into, application="acta restore") as target:
                archive = archiver_on(settings, database).rows
                missing = await IntoDatabase(database, target, cut, where.schemas, progress, archive).run()
    for statement in missing:
        say(f"could not be made: {' '.join(statement.split())[:200]}")
    say(f"the database is as of position {cut.position}; DATABASE_URL={masked(into)} acta serve")


def _tell(restored: "Restored") -> None:
    for topic, collection, name in restored.schema:
        typer.echo(f"{topic} of {collection} {name} is taken back")
    for statement in restored.statements:
        typer.echo(f"{statement};")
    for one in restored.collections:
        typer.echo(f"{one.collection}: {one.created} come back, {one.updated} change, {one.deleted} go")
        for item, what, fields in one.sample:
            typer.echo(f"  {item}: {what} {', '.join(fields)}".rstrip())
    for file in restored.lost:
        typer.echo(f"what file {file} held then is not kept any more")
