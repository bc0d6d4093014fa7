"""The durable positions of followers, in ``acta.cursors``."""

from __future__ import annotations

from typing import Final

from projections.database import Connection
from projections.sql import load

SQL: Final = load("log/followers")


async def register(connection: Connection, name: str, position: int) -> None:
    """Note a follower that is new at the position it begins after; one that is known keeps its own."""
    await connection.execute(SQL["register"], {"name": name, "position": position})


async def hold(connection: Connection, name: str) -> int | None:
    """A follower's position, its until the transaction ends; None while another process has it."""
    row = await (await connection.execute(SQL["hold"], {"name": name})).fetchone()
    return None if row is None else row[0]


async def move(connection: Connection, name: str, position: int) -> None:
    """Note that everything up to a position is done, in the transaction that `hold` began."""
    await connection.execute(SQL["move"], {"name": name, "position": position})
