"""`acta rebuild --check`: prove that the log folds to exactly the live tables."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import fail, say

if TYPE_CHECKING:
    from domain.settings import Settings
    from projections.log.rebuild import Comparison


def rebuild(
    check: Annotated[
        bool, typer.Option("--check", help="Compare with the live tables, change nothing.")
    ] = False,
) -> None:
    """Fold the log into fresh tables and compare them with the live ones, row for row."""
    if not check:
        fail("say --check: `acta restore` is what writes a past state")
    import uvloop

    from cli.database import database
    from cli.settings import load_settings

    with database(load_settings()) as (settings, _):
        outcome = uvloop.run(_compare(settings))
    broken = [entry for entry in outcome if entry.differing]
    for entry in broken:
        _explain(entry)
    if broken:
        fail(f"{len(broken)} of {len(outcome)} collections differ from the log")
    rows = sum(entry.rows for entry in outcome)
    say(f"the log folds to the live tables: {rows} rows in {len(outcome)} collections")


async def _compare(settings: "Settings") -> "list[Comparison]":
    from rich.console import Console
    from rich.progress import Progress

    from projections.database import Database
    from projections.log.rebuild import comparable, compare
    from projections.prepare import prepare
    from projections.tables.store import ModelStore

    where = settings.database
    assert where.url is not None
    outcome = []
    async with await Database.open(where.url.get_secret_value(), application="acta rebuild") as database:
        await prepare(database)
        models = await ModelStore.open(database, schemas=where.schemas, exclude=where.exclude_tables)
        model = models.current
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("comparing", total=len(comparable(model)))
            async for entry in compare(database, model):
                progress.update(task, advance=1, description=entry.collection)
                outcome.append(entry)
    return outcome


def _explain(entry: "Comparison") -> None:
    typer.echo(f"{entry.collection}: {entry.differing} items differ")
    for difference in entry.sample:
        columns = ", ".join(difference.columns)
        what = "in only one of the two" if columns == "*" else columns
        typer.echo(f"  {difference.item}: {what}")
