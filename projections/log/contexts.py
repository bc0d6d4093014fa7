"""The contexts commands come from (address, user agent, origin), stored once and cached per process."""

from __future__ import annotations

import asyncio

from domain.access.caller import Caller
from domain.lru import Lru
from projections.database import Database
from projections.sql import load

SQL = load("log/append")
CACHED = 10_000
# Together below what an index entry can hold.
LONGEST = {"ip": 64, "user_agent": 1024, "origin": 1024}


class Contexts:
    """Gives the id of a caller's row in ``acta.requests``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: Lru[tuple[str | None, ...], int] = Lru(CACHED)
        self._turn = asyncio.Lock()

    async def id_of(self, caller: Caller) -> int | None:
        """The id for a command's ``context``; None for a caller without address, user agent and origin."""
        key = tuple(
            _shortened(value, longest)
            for value, longest in zip(
                (caller.ip, caller.user_agent, caller.origin), LONGEST.values(), strict=True
            )
        )
        if key == (None, None, None):
            return None
        found = self._ids.get(key)
        if found is None:
            async with self._turn:
                found = self._ids.get(key)
                if found is None:
                    found = await self._stored(dict(zip(LONGEST, key, strict=True)))
                    self._ids.put(key, found)
        return found

    async def _stored(self, values: dict[str, str | None]) -> int:
        # In a transaction of its own: a command rolled back must not take the cached id with it.
        async with await self._database.dedicated() as connection:
            while True:
                row = await (await connection.execute(SQL["context"], values)).fetchone()
                if row is not None:
                    found: int = row[0]
                    return found


def _shortened(text: str | None, longest: int) -> str | None:
    if text is None:
        return None
    return text.replace("\0", "").encode("utf-8", "replace")[:longest].decode("utf-8", "ignore")
