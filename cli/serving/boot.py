"""What must be true of a database before it is served: schema `acta` up to date."""

from domain.settings import Settings
from projections.database import Database
from projections.log.prepare import prepare as prepare_log
from projections.system.prepare import prepare as prepare_system


async def boot(settings: Settings) -> None:
    """Prepare the database of the settings; several may do so at once. Raises ServiceUnavailable."""
    assert settings.database.url is not None
    async with await Database.open(
        settings.database.url.get_secret_value(), application="acta boot"
    ) as database:
        await prepare_log(database)
        await prepare_system(database)
