"""Who else is connected: the only trace that a change by others leaves of its user.

The server's log of changes names the transaction, and the server's list of sessions, which every user may
see, names the user of each transaction under way. So whoever looks often sees most of them; of a change whose
transaction was never seen, the user is known when all other sessions of late were of one user.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from domain.lru import Lru
from projections.database import Connection
from projections.sql import load

SQL: Final = load("time/structures")
KEPT: Final = 20_000
LATELY_SECONDS: Final = 5.0


class Sessions:
    """What was seen of sessions that are not Acta's."""

    def __init__(self) -> None:
        self._by_transaction: Lru[int, str] = Lru(KEPT)
        self._seen: dict[str, float] = {}

    async def look(self, connection: Connection) -> None:
        """Look at the sessions there are; costs less than a millisecond."""
        now = time.monotonic()
        for transaction, user in await (await connection.execute(SQL["sessions"])).fetchall():
            self._seen[user] = now
            if transaction is not None:
                self._by_transaction.put(transaction, user)
        self._seen = {user: at for user, at in self._seen.items() if now - at < LATELY_SECONDS}

    def user(self, transactions: Sequence[int]) -> str | None:
        """The user of the newest of these transactions that was seen, else the only one of late."""
        for transaction in sorted(transactions, reverse=True):
            user = self._by_transaction.get(transaction)
            if user is not None:
                return user
        return next(iter(self._seen)) if len(self._seen) == 1 else None
