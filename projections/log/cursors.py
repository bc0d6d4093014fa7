"""The durable positions of followers, in ``acta.cursors``, and what else there is to know of a follower."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from projections.database import Connection
from projections.sql import load

SQL: Final = load("log/followers")
# The first key of the advisory locks of followers; the second is the hash of the name.
LOCK_CLASS: Final = 0x61637461


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a follower is.

    Attributes:
        position: Everything up to it is done.
        reached: The highest position that ever was done; above ``position`` after a rewind.
        rewinds: Changes whenever somebody sets the position by hand.
        paused: Whether it must not go on.
    """

    position: int
    reached: int
    rewinds: int
    paused: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """A follower as operators see it; ``lag`` counts positions, ``running`` says whether a process has it."""

    name: str
    position: int
    head: int
    paused: bool
    failures: int
    error: str | None
    failed_at: datetime | None
    moved_at: datetime
    parked: int
    running: bool

    @property
    def lag(self) -> int:
        """Sealed positions it has not done yet."""
        return max(self.head - self.position, 0)


@dataclass(frozen=True, slots=True)
class Parked:
    """An event that a follower went on without."""

    position: int
    seq: int
    collection: str | None
    item: str | None
    error: str
    at: datetime


async def register(connection: Connection, name: str, position: int) -> None:
    """Note a follower that is new at the position it begins after; one that is known keeps its own."""
    await connection.execute(SQL["register"], {"name": name, "position": position})


async def hold(connection: Connection, name: str) -> Cursor | None:
    """A follower's cursor, its until the transaction ends; None while another process has it."""
    row = await (await connection.execute(SQL["hold"], {"name": name})).fetchone()
    return None if row is None else Cursor(*row)


async def look(connection: Connection, name: str) -> Cursor | None:
    """A follower's cursor; None when there is no such follower."""
    row = await (await connection.execute(SQL["look"], {"name": name})).fetchone()
    return None if row is None else Cursor(*row)


async def move(connection: Connection, name: str, position: int, rewinds: int) -> bool:
    """Note that everything up to a position is done; False when it was set by hand since ``rewinds``."""
    values = {"name": name, "position": position, "rewinds": rewinds}
    return (await connection.execute(SQL["move"], values)).rowcount == 1


async def fail(connection: Connection, name: str, failures: int, error: str) -> None:
    """Note that a follower is in trouble, for operators to see."""
    await connection.execute(SQL["fail"], {"name": name, "failures": failures, "error": error})


async def park(connection: Connection, name: str, position: int, seq: int, error: str) -> None:
    """Note an event that a follower goes on without."""
    values = {"name": name, "position": position, "seq": seq, "error": error}
    await connection.execute(SQL["park"], values)


async def parked(connection: Connection, name: str, limit: int = 100) -> list[Parked]:
    """The events that a follower went on without, oldest first."""
    cursor = await connection.execute(SQL["parked"], {"name": name, "limit": limit})
    return [Parked(*row) for row in await cursor.fetchall()]


async def overview(connection: Connection) -> list[Overview]:
    """All followers by name."""
    cursor = await connection.execute(SQL["overview"], {"class": LOCK_CLASS})
    return [Overview(*row) for row in await cursor.fetchall()]


async def pause(connection: Connection, name: str, *, paused: bool) -> bool:
    """Stop or resume a follower; False when there is none of the name."""
    return await _change(connection, "pause", {"name": name, "paused": paused})


async def rewind(connection: Connection, name: str, position: int, *, again: bool) -> bool:
    """Set a follower's position; ``again`` repeats effects outside the database too. False when there is
    none of the name."""
    return await _change(connection, "rewind", {"name": name, "position": position, "again": again})


async def forget(connection: Connection, name: str) -> bool:
    """Remove a follower and its position; False when there is none of the name."""
    return await _change(connection, "forget", {"name": name})


async def lead(connection: Connection, name: str) -> bool:
    """Try to become the one process that runs a follower, as long as this connection lasts."""
    row = await (await connection.execute(SQL["lead"], {"class": LOCK_CLASS, "name": name})).fetchone()
    return row is not None and bool(row[0])


async def ping(connection: Connection) -> None:
    """Raises psycopg.OperationalError when the connection is lost."""
    await connection.execute(SQL["alive"])


async def _change(connection: Connection, statement: str, values: dict[str, Any]) -> bool:
    return await (await connection.execute(SQL[statement], values)).fetchone() is not None
