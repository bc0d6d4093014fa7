"""Deliveries that are due, and what came of trying them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from psycopg.types.json import Jsonb

from domain.log.record import Record
from projections.database import Database
from projections.sql import load
from projections.webhooks.noting import LOCK_CLASS

SQL: Final = load("webhooks/deliveries")

Status = Literal["waiting", "delivered", "dead"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook sends to, as its row says; ``secret`` sealed."""

    webhook: int
    method: str
    url: str
    data: bool
    headers: Any
    secret: str | None

    @property
    def own_headers(self) -> list[tuple[str, str]]:
        """The headers that the webhook adds."""
        entries = self.headers if isinstance(self.headers, list) else []
        return [
            (str(entry["header"]), str(entry.get("value", "")))
            for entry in entries
            if isinstance(entry, Mapping) and entry.get("header")
        ]


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery to try: its event (None when that was archived), and the role that the event's user has."""

    id: int
    failures: int
    attempts: int
    target: Target
    record: Record | None
    role: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt; ``pause`` in seconds until the next one."""

    delivery: int
    status: Status
    attempt: Mapping[str, Any]
    pause: float = 0.0


def record_of(row: Sequence[Any]) -> Record | None:
    """The event of a row of the log; None where there is none any more."""
    return None if row[1] is None else Record(*row)


async def due(database: Database, webhook: int, flying: Collection[int], limit: int) -> list[Due]:
    """The deliveries of an active webhook to try now, apart from those that are being tried."""
    values = {"webhook": webhook, "flying": list(flying), "limit": limit}
    async with database.connection() as connection:
        cursor = await connection.execute(SQL["due"], values)
        return [
            Due(number, failures, attempts, Target(*row[:6]), record_of(row[6:17]), row[17])
            for number, failures, attempts, *row in await cursor.fetchall()
        ]


async def next_in(database: Database, webhook: int) -> float | None:
    """Seconds until something is due at an active webhook; None when nothing waits."""
    async with database.connection() as connection:
        row = await (await connection.execute(SQL["next_in"], {"webhook": webhook})).fetchone()
    return None if row is None else row[0]


async def settle(database: Database, webhook: int, outcomes: Sequence[Outcome]) -> None:
    """Note what came of attempts at a webhook's deliveries; what they held up may go on."""
    told = [
        {
            "id": outcome.delivery,
            "status": outcome.status,
            "pause": outcome.pause,
            "attempt": outcome.attempt,
        }
        for outcome in outcomes
    ]
    async with database.transaction() as connection:
        await connection.execute(SQL["share"], {"class": LOCK_CLASS, "webhook": webhook})
        await connection.execute(SQL["settle"], {"outcomes": Jsonb(told)})


async def sweep(database: Database, seconds: float) -> None:
    """Forget what was over so many seconds ago."""
    async with database.connection() as connection:
        await connection.execute(SQL["sweep"], {"seconds": seconds})
