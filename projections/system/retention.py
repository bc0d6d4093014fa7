"""How far back activity and revisions are shown. The log keeps everything: this never breaks its chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from projections.database import Database
from projections.sql import load

SQL: Final = load("system/retention")


async def set_retention(database: Database, seconds: Mapping[str, float | None]) -> None:
    """Set both at once: ``activity`` and ``revisions``; None for no limit."""
    async with database.transaction() as connection:
        await connection.execute(SQL["forget"])
        for what, keep in seconds.items():
            if keep is not None:
                await connection.execute(SQL["keep"], {"what": what, "seconds": keep})
