"""`acta diff`: what changed between two moments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from domain.log.moments import When
    from domain.settings import Settings


def diff(
    begin: Annotated[str, typer.Argument(metavar="FROM", help="A position, a time, 10m ago, or a request.")],
    end: Annotated[str | None, typer.Argument(metavar="TO", help="The same; now when not given.")] = None,
    collection: Annotated[str | None, typer.Option(help="With the items of this collection.")] = None,
    limit: Annotated[int, typer.Option(help="Items to print at most.")] = 100,
) -> None:
    """Print how many items were added, changed and removed; of a collection also which, as JSON lines."""
    import asyncio

    from cli.database import database
    from cli.settings import load_settings
    from domain.log.moments import parse_when

    first = parse_when(begin, "FROM")
    last = None if end is None else parse_when(end, "TO")
    with database(load_settings()) as (settings, _):
        asyncio.run(_print(settings, first, last, collection, limit))


async def _print(
    settings: Settings, first: When, last: When | None, collection: str | None, limit: int
) -> None:
    from dataclasses import asdict

    import orjson

    from projections.database import Database
    from projections.log.positions import last_position
    from projections.prepare import prepare
    from projections.time.diff import diff_counts, diff_items
    from projections.time.moments import resolve, settle

    assert settings.database.url is not None
    url = settings.database.url.get_secret_value()
    async with await Database.open(url, application="acta diff") as database:
        await prepare(database)
        await settle(database)
        async with database.connection() as connection:
            earlier = await resolve(connection, first)
            later = await resolve(connection, await last_position(connection) if last is None else last)
        if collection is None:
            for counts in await diff_counts(database, earlier, later):
                numbers = f"{counts.added} added, {counts.changed} changed, {counts.removed} removed"
                typer.echo(f"{counts.collection}: {numbers}")
            return
        _, items = await diff_items(database, earlier, later, collection, limit=limit)
        for item in items:
            typer.echo(orjson.dumps(asdict(item)).decode())
