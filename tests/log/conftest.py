"""A database whose log is prepared, and short ways to look into it."""

from collections.abc import AsyncIterator

import pytest

from projections.database import Database
from projections.log.prepare import prepare


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url, minimum=2, maximum=20, application="acta-tests") as database:
        await prepare(database)
        yield database
