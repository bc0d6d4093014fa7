"""Snapshots: the state of an item at every hundredth of its events, so that long histories are read quickly.

They are derived from the log and may be emptied at any time; whoever reads a state takes the latest one
before and merges what came since.
"""

from __future__ import annotations

from typing import Final

from projections.database import Connection
from projections.log.positions import at_positions
from projections.sql import load

EVERY: Final = 100
TAKE: Final = at_positions(load("log/snapshots")["take"])


async def take_snapshots(connection: Connection, after: int, limit: int) -> int:
    """Take the snapshots that the ``limit`` positions after one make due; gives their number."""
    cursor = await connection.execute(TAKE, {"after": after, "limit": limit, "every": EVERY})
    return cursor.rowcount
