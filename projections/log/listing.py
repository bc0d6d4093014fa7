"""The log for people and scripts: some of its events, in order, from a position or a moment on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from domain.log import Record
from projections.database import Connection, Database
from projections.log.positions import at_positions, last_position
from projections.sql import load

LISTING: Final = at_positions(load("log/listing")["listing"])
SCHEMA_TOPICS: Final = ("collection.%", "field.%", "relation.%")
# Positions looked through by one statement.
WINDOW: Final = 5_000


@dataclass(frozen=True, slots=True)
class Choice:
    """Which events: of one collection, of kinds given as SQL patterns; None for all."""

    collection: str | None = None
    topics: Sequence[str] | None = None


async def listing(database: Database, after: int, choice: Choice) -> AsyncIterator[tuple[int, list[Record]]]:
    """Portions of the log up to its present end: the position each ends at, and its chosen events."""
    async with database.connection() as connection:
        end = await last_position(connection)
        while after < end:
            records = await _portion(connection, after, min(WINDOW, end - after), choice)
            after = min(after + WINDOW, end)
            yield after, records


async def _portion(connection: Connection, after: int, limit: int, choice: Choice) -> list[Record]:
    topics = None if choice.topics is None else list(choice.topics)
    values = {"after": after, "limit": limit, "collection": choice.collection, "topics": topics}
    return [Record(*row) for row in await (await connection.execute(LISTING, values)).fetchall()]
