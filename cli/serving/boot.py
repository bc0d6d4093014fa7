"""What must be true of a database before it is served: schema `acta` up to date, an administrator in it."""

from cli.console import say
from domain.errors import ServiceUnavailable
from domain.settings import Settings
from projections.database import Database
from projections.prepare import prepare
from projections.system.bootstrap import bootstrap
from projections.system.retention import set_retention
from projections.tables.adopt import adopt, pending, summary
from projections.tables.introspect import load_model


async def boot(settings: Settings) -> None:
    """Prepare the database of the settings; several may do so at once. Raises ServiceUnavailable."""
    assert settings.database.url is not None
    async with await Database.open(
        settings.database.url.get_secret_value(), application="acta boot"
    ) as database:
        await prepare(database)
        made = await bootstrap(database, settings)
        await _adopt(database, settings)
        kept = settings.history
        keep = {"activity": kept.activity_retention, "revisions": kept.revisions_retention}
        await set_retention(database, keep)
    if made is not None:
        say(f"administrator: {made.email}")
        for name, secret in (("password", made.password), ("token", made.token)):
            if secret is not None:
                say(f"{name}, shown this once: {secret}")


async def _adopt(database: Database, settings: Settings) -> None:
    """Adopt tables that were there before Acta, when that is quickly done; else ask for the command."""
    wanted = settings.database
    async with database.connection() as connection:
        model = await load_model(connection, schemas=wanted.schemas, exclude=wanted.exclude_tables)
        left = await pending(connection, model)
    if not left:
        return
    if sum(left.values()) > wanted.adopt_limit:
        raise ServiceUnavailable(
            "database",
            f"{summary(left)} were there before Acta: run `acta adopt` first, or raise ACTA_ADOPT_LIMIT",
        )
    say(f"adopting {summary(left)} that were there before")
    await adopt(database, model)
