"""Attempts counted in PostgreSQL, so that all processes count together; or in the memory of one of them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Literal, Protocol

from projections import migrations
from projections.database import Database
from projections.sql import load

SQL = load("access/counters")


@dataclass(frozen=True, slots=True)
class Count:
    """Attempts in the current span, this one included; ``left`` are the seconds until it ends."""

    points: int
    left: float


class Store(Protocol):
    """Where attempts are counted."""

    async def count(self, name: str, seconds: float | None) -> Count:
        """Count one attempt in a span of so many seconds; None for a span that never ends."""

    async def purge(self) -> None:
        """Drop spans that are over."""


async def prepare(database: Database) -> None:
    """Bring the tables of this room up to date."""
    async with database.transaction() as connection:
        await migrations.begin(connection)
        await migrations.migrate(connection, "access")


class Counters:
    """Named counters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, name: str, seconds: float | None) -> Count:
        """Count one attempt in a span of so many seconds; None for a span that never ends."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(SQL["count"], {"name": name, "seconds": seconds})
            row = await cursor.fetchone()
        assert row is not None
        return Count(row[0], float(row[1] or 0))

    async def forget(self, name: str) -> None:
        """Begin anew."""
        async with self._database.connection() as connection:
            await connection.execute(SQL["forget"], {"name": name})

    async def end(self, name: str, seconds: float) -> None:
        """Let a span that never ends come to its end in so many seconds."""
        async with self._database.connection() as connection:
            await connection.execute(SQL["end"], {"name": name, "seconds": seconds})

    async def purge(self) -> None:
        """Drop spans that are over."""
        async with self._database.connection() as connection:
            await connection.execute(SQL["purge"])


class Memory:
    """Counters of one process."""

    def __init__(self) -> None:
        self._spans: dict[str, tuple[int, float]] = {}

    async def count(self, name: str, seconds: float | None) -> Count:
        """Count one attempt in a span of so many seconds."""
        now = time.monotonic()
        points, ends = self._spans.get(name, (0, 0.0))
        if ends <= now:
            points, ends = 0, now + (seconds or math.inf)
        self._spans[name] = (points + 1, ends)
        return Count(points + 1, ends - now)

    async def purge(self) -> None:
        """Drop spans that are over."""
        now = time.monotonic()
        self._spans = {name: span for name, span in self._spans.items() if span[1] > now}


def store_of(kind: Literal["memory", "postgres"], database: Database) -> Store:
    """The place that the settings choose."""
    return Memory() if kind == "memory" else Counters(database)
