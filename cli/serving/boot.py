"""What must be true of a database before it is served: schema `acta` up to date, an administrator in it."""

from cli.console import say
from domain.settings import Settings
from projections.database import Database
from projections.prepare import prepare
from projections.system.bootstrap import bootstrap


async def boot(settings: Settings) -> None:
    """Prepare the database of the settings; several may do so at once. Raises ServiceUnavailable."""
    assert settings.database.url is not None
    async with await Database.open(
        settings.database.url.get_secret_value(), application="acta boot"
    ) as database:
        await prepare(database)
        made = await bootstrap(database, settings)
    if made is not None:
        say(f"administrator: {made.email}")
        for name, secret in (("password", made.password), ("token", made.token)):
            if secret is not None:
                say(f"{name}, shown this once: {secret}")
