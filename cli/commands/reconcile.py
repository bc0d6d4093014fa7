"""`acta reconcile`: tell the log what was done to the tables behind its back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cli.console import say

if TYPE_CHECKING:
    from domain.settings import Settings


def reconcile() -> None:
    """Compare every adopted table with the log; what differs becomes an event of the database."""
    import asyncio

    from cli.database import database
    from cli.settings import load_settings

    with database(load_settings()) as (settings, _):
        told = asyncio.run(_reconcile(settings))
    for collection, items in told.items():
        typer.echo(f"{collection}: {items}")
    say(f"{sum(told.values())} items were changed by others" if told else "log and tables tell the same")


async def _reconcile(settings: Settings) -> dict[str, int]:
    from cli.targets import bar
    from projections.database import Database
    from projections.prepare import prepare
    from projections.tables.store import ModelStore
    from projections.time.reconcile import observable, reconcile
    from projections.time.structures import observe_structures

    where = settings.database
    assert where.url is not None
    told = {}
    async with await Database.open(where.url.get_secret_value(), application="acta reconcile") as database:
        await prepare(database)
        store = await ModelStore.open(database, schemas=where.schemas, exclude=where.exclude_tables)
        if changed := await observe_structures(database, store, where.schemas[0]):
            say(f"the structure of {changed} tables was changed by others")
            await store.refresh()
        async with database.connection() as connection:
            entries = await observable(connection, store.current)
        with bar("comparing") as progress:
            for number, entry in enumerate(entries):
                progress(number, len(entries), entry.name)
                if items := await reconcile(database, entry):
                    told[entry.name] = items
    return told
