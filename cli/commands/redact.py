"""`acta redact`: erase values from the past for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import say

if TYPE_CHECKING:
    from domain.settings import Settings


def redact(
    collection: Annotated[str, typer.Argument(help="The collection.")],
    items: Annotated[list[str], typer.Argument(help="The keys of the items.")],
    field: Annotated[
        list[str] | None, typer.Option(help="A field, may be given several times; all when not given.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Erase values of items from the log, its snapshots and histories. Nothing brings them back."""
    import asyncio

    from cli.database import database
    from cli.settings import load_settings

    if not yes:
        what = ", ".join(field) if field else "all fields"
        typer.confirm(f"Erase {what} of {len(items)} items of {collection} for good?", abort=True)
    with database(load_settings()) as (settings, _):
        erased = asyncio.run(_redact(settings, collection, items, field or None))
    say(f"values were erased from {erased} events")


async def _redact(settings: Settings, collection: str, items: list[str], fields: list[str] | None) -> int:
    from domain.access.command import Command
    from projections.database import Database
    from projections.prepare import prepare
    from projections.tables.store import ModelStore
    from projections.time.redaction import redact_items

    where = settings.database
    assert where.url is not None
    async with await Database.open(where.url.get_secret_value(), application="acta redact") as database:
        await prepare(database)
        store = await ModelStore.open(database, schemas=where.schemas, exclude=where.exclude_tables)
        return await redact_items(database, store.current, Command.internal(), collection, items, fields)
