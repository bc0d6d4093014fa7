"""Random queries on a running database: each is answered, or refused with a 400 or 403."""

from __future__ import annotations

import random

import pytest

from domain.errors import ActaError
from tests.reading.conftest import Library
from tests.support.queries import random_query


@pytest.mark.parametrize("seed", range(4))
async def test_random_queries(books: Library, seed: int) -> None:
    chance = random.Random(seed)
    answered = 0
    for _ in range(400):
        query = random_query(chance)
        collection = chance.choice(["books", "authors", "reviews", "sections", "prices"])
        try:
            await books.list(collection, query)
        except ActaError as error:
            status = error.status
        else:
            answered += 1
            continue
        assert status in (400, 403), (collection, query)
    assert answered > 20
