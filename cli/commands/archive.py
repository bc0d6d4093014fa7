"""`acta log archive`, `recall`, `archives`: closed partitions of the log in files of a storage, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import say
from cli.targets import bar

if TYPE_CHECKING:
    from domain.settings import Settings
    from projections.database import Database
    from services.archive.archiver import Archiver


def archive(
    storage: Annotated[
        str | None, typer.Option(help="Which of STORAGE_LOCATIONS takes the files; the first when not given.")
    ] = None,
    keep: Annotated[int, typer.Option(min=0, help="So many of the closed partitions stay.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell, and change nothing.")] = False,
) -> None:
    """Move closed partitions of the log into files; what is kept of them is what the present rests on."""
    import asyncio

    from cli.database import database
    from cli.settings import load_settings

    with database(load_settings()) as (settings, _):
        asyncio.run(_archive(settings, storage or settings.storage.names[0], keep, dry_run=dry_run))


async def _archive(settings: Settings, location: str, keep: int, *, dry_run: bool) -> None:
    async with archiver_of(settings) as archiver:
        closed = await archiver.closed()
        for partition in closed[: max(len(closed) - keep, 0)]:
            name = f"events {partition.first} to {partition.end - 1}"
            if dry_run:
                typer.echo(f"{name}: {partition.bytes} bytes would go")
                continue
            with bar("archiving") as progress:
                made = await archiver.archive(partition, location, progress)
            if made is not None:
                typer.echo(
                    f"{name}: {made.events} events, {made.table_bytes / made.events:.0f} bytes each in the"
                    f" table, {made.bytes / made.events:.0f} in {made.location}"
                )
        if not closed:
            say("no partition of the log is closed: each takes ten million events")


def recall() -> None:
    """Bring all archives back into the log, the newest first, and remove their files."""
    import asyncio

    from cli.database import database
    from cli.settings import load_settings

    with database(load_settings()) as (settings, _):
        asyncio.run(_recall(settings))


async def _recall(settings: Settings) -> None:
    async with archiver_of(settings) as archiver:
        for made in reversed(await archiver.archives()):
            with bar("recalling") as progress:
                await archiver.recall(made, progress)
            say(f"{made.events} events up to position {made.position} are back")


def archives() -> None:
    """List what is archived: last position, events, bytes an event in the files, storage."""
    import asyncio

    from cli.database import database
    from cli.settings import load_settings

    with database(load_settings()) as (settings, _):
        asyncio.run(_list(settings))


async def _list(settings: Settings) -> None:
    async with archiver_of(settings) as archiver:
        for one in await archiver.archives():
            typer.echo(f"{one.position}\t{one.events}\t{one.bytes / one.events:.0f}\t{one.location}")


@asynccontextmanager
async def archiver_of(settings: Settings) -> AsyncIterator[Archiver]:
    """The archives of the project's log."""
    from projections.database import Database
    from projections.prepare import prepare

    where = settings.database
    assert where.url is not None
    async with await Database.open(where.url.get_secret_value(), application="acta log") as database:
        await prepare(database)
        yield archiver_on(settings, database)


def archiver_on(settings: Settings, database: Database) -> Archiver:
    """The same, on a database that is open."""
    from services.archive.archiver import Archiver
    from services.storage.locations import Locations

    return Archiver(database, Locations(settings.storage))
