"""`acta kafka`: publish again what consumers lost."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import EXIT_SETTINGS, fail, say

if TYPE_CHECKING:
    from domain.settings import Settings

kafka = typer.Typer(help="The publisher to Kafka.", no_args_is_help=True)


@kafka.callback()
def _kafka() -> None:
    pass


@kafka.command()
def replay(
    begin: Annotated[int, typer.Option("--from", min=1, help="The first position to publish again.")],
    end: Annotated[
        int | None, typer.Option("--to", min=1, help="The last one; the end of the log if not given.")
    ] = None,
    collection: Annotated[str | None, typer.Option(help="Only events of this collection.")] = None,
) -> None:
    """Publish events again, marked with the header `replay`; the running publisher goes on meanwhile."""
    import uvloop

    from cli.database import database
    from cli.settings import load_settings
    from workers.follower import EnvironmentTrouble

    loaded = load_settings()
    if not loaded.kafka.bootstrap_servers:
        fail("KAFKA_BOOTSTRAP_SERVERS is not set", EXIT_SETTINGS)
    with database(loaded) as (settings, _):
        try:
            count = uvloop.run(_replay(settings, begin - 1, end, collection))
        except EnvironmentTrouble as error:
            fail(str(error))
    say(f"published {count} events again")


async def _replay(settings: "Settings", after: int, end: int | None, collection: str | None) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from projections.database import Database
    from projections.log.listing import Choice
    from projections.log.positions import last_position, require_log
    from projections.tables.store import ModelStore
    from workers.kafka.publisher import form_of
    from workers.kafka.replay import replay

    where = settings.database
    assert where.url is not None
    async with await Database.open(where.url.get_secret_value(), application="acta kafka") as database:
        async with database.connection() as connection:
            await require_log(connection)
            upto = await last_position(connection)
        upto = upto if end is None else min(end, upto)
        models = await ModelStore.open(database, schemas=where.schemas, exclude=where.exclude_tables)
        form, choice = form_of(settings, models), Choice(collection)
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("publishing", total=max(upto - after, 0))
            return await replay(
                database,
                settings.kafka,
                form,
                after,
                upto,
                choice,
                lambda position: bar.update(task, completed=position - after),
            )
