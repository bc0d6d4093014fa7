"""`acta adopt`: baseline events for every row that was there before Acta."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from domain.model import Model
    from domain.settings import Settings
    from projections.database import Database
    from projections.tables.adopt import Progress


def adopt(
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress bar.")] = False,
) -> None:
    """Write the baseline of all existing rows into the log.

    It can be interrupted: the next run goes on where this one stopped. The tables stay as they are.
    """
    import asyncio

    from cli.database import database
    from cli.settings import load_settings

    with database(load_settings()) as (settings, _):
        asyncio.run(adopt_all(settings, quiet=quiet))


async def adopt_all(settings: Settings, *, quiet: bool) -> None:
    """Adopt what is left in the database of the settings, and tell of it."""
    from cli.console import say
    from projections.database import Database
    from projections.prepare import prepare
    from projections.tables.adopt import pending, summary, unadoptable
    from projections.tables.introspect import load_model

    assert settings.database.url is not None
    url = settings.database.url.get_secret_value()
    async with await Database.open(url, application="acta adopt") as database:
        await prepare(database)
        async with database.connection() as connection:
            model = await load_model(
                connection, schemas=settings.database.schemas, exclude=settings.database.exclude_tables
            )
            left = await pending(connection, model)
        for name in unadoptable(model):
            say(f"{name} can't be adopted: it has no primary key")
        if left:
            say(f"adopting {summary(left)}")
        written = await _run(database, model, left, quiet=quiet)
    say(f"{written:,} events written" if written else "nothing is left to adopt")


async def _run(database: Database, model: Model, left: Mapping[str, int], *, quiet: bool) -> int:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from projections.tables.adopt import adopt

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), disable=quiet) as bars:
        done = await adopt(database, model, progress=_showing(bars, left))
    return sum(each.events for each in done)


def _showing(bars: Bars, left: Mapping[str, int]) -> Progress:
    tasks: dict[str, TaskID] = {}

    def show(collection: str, rows: int) -> None:
        if collection not in tasks:
            tasks[collection] = bars.add_task(collection, total=left.get(collection))
        bars.advance(tasks[collection], rows)

    return show
