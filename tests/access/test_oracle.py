"""What callers see is what a naive evaluation says they may see; `tests.access.oracle` tells how.

`ACTA_ORACLE_CASES=20000 .ci/test tests/access/test_oracle.py` is the long run; `ACTA_ORACLE_SEED` begins it
elsewhere.
"""

from __future__ import annotations

import os
import random

import pytest

from domain.query.limits import QueryLimits
from domain.settings import Settings
from projections.database import Database
from projections.prepare import prepare
from projections.reading.reader import Reader
from projections.tables.item_writer import ItemWriter
from tests.access.oracle import Oracle, everything
from tests.access.world import add_history, create, model, random_rows

CASES = int(os.environ.get("ACTA_ORACLE_CASES", "1200"))
SEED = int(os.environ.get("ACTA_ORACLE_SEED", "1"))
WORLDS = 4


@pytest.mark.timeout(30 + CASES // 20)
@pytest.mark.parametrize("number", range(WORLDS))
async def test_nobody_sees_more_or_less_than_he_may(database_url: str, number: int) -> None:
    chance = random.Random(SEED * WORLDS + number)
    rows = random_rows(chance)
    async with await Database.open(database_url, maximum=2) as database:
        await prepare(database)
        async with database.connection() as connection:
            await create(connection, rows)
            await add_history(connection, chance)
        reader = Reader(database, QueryLimits())
        oracle = Oracle(
            database,
            reader,
            ItemWriter(database, reader, Settings()),
            model(),
            await everything(reader, model(), rows),
            chance,
        )
        await oracle.run(CASES // WORLDS)
    # What only refuses, or finds nothing, would prove nothing.
    assert oracle.seen["items"] > CASES // WORLDS
    assert oracle.seen["written"] > CASES // WORLDS // 100
    assert 0 < oracle.seen["refused"] < oracle.seen["list"] * 3 // 4
