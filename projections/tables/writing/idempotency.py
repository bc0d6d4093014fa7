"""Requests that may be sent again: an ``Idempotency-Key`` gives each the same answer for a day.

A key belongs to its sender. It is taken by the transaction that writes, so it is taken exactly if the request
was carried out: a refusal, a crash or a kill before the commit leaves it free. The answer is kept afterwards;
should that have been cut off, the items that were written are known and are read again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from domain.errors import ActaError, RequestInProgress, UnprocessableContent
from projections.database import Connection, Database
from projections.sql import load
from projections.tables.writing.session import persistently

_SQL = load("writing/idempotency")
LONGEST_KEY = 255
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered before."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class OnceKey:
    """A key of one sender; ``fingerprint`` is a digest of all that the request says."""

    actor: str
    key: str
    fingerprint: bytes

    def __post_init__(self) -> None:
        if not 0 < len(self.key) <= LONGEST_KEY or "\0" in self.key:
            raise UnprocessableContent(f"An Idempotency-Key has 1 to {LONGEST_KEY} characters")

    def part(self, name: str) -> OnceKey:
        """The key of one of several writes that a request asks for."""
        digest = hashlib.sha256(f"{self.key}\0{name}".encode())
        return replace(self, key=digest.hexdigest())

    def values(self) -> dict[str, Any]:
        """The parameters of the statements."""
        return {"actor": self.actor, "key": self.key, "fingerprint": self.fingerprint}


class IdempotencyKeys:
    """The keys of all senders."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key: OnceKey) -> Answer | None:
        """The answer given before, None when there is none yet.

        Raises:
            UnprocessableContent: the key was used for a request that said something else.
        """
        async with self._database.connection() as connection:
            found = await _found(connection, key)
        return None if found is None else found[1]

    async def once(self, key: OnceKey, write: Callable[[Connection], Awaitable[list[str]]]) -> list[str]:
        """Write in one transaction with the key, unless the key is taken; the keys of the items written then.

        Raises:
            UnprocessableContent: the key was used for a request that said something else.
            RequestInProgress: the first request under the key has not come to its end yet.
        """

        async def run() -> list[str]:
            async with self._database.transaction() as connection:
                if await (await connection.execute(_SQL["claim"], key.values())).fetchone():
                    items = await write(connection)
                    await connection.execute(_SQL["wrote"], {**key.values(), "items": items})
                    return items
                found = await _found(connection, key)
            if found is None:
                raise RequestInProgress()
            return found[0]

        return await persistently(run, None)

    async def keep(self, key: OnceKey, answer: Answer) -> Answer:
        """Keep the answer of a request that has written; gives the first one, if another was quicker."""
        values = {**key.values(), "status": answer.status, "body": answer.body}
        async with self._database.connection() as connection:
            if (await connection.execute(_SQL["keep"], values)).rowcount:
                return answer
            found = await _found(connection, key)
        return answer if found is None or found[1] is None else found[1]

    async def forget(self) -> int:
        """Drop keys older than a day; gives their number."""
        async with self._database.connection() as connection:
            return (await connection.execute(_SQL["forget"])).rowcount

    async def tidy(self) -> None:
        """Drop old keys once an hour, for ever."""
        while True:
            # What can't be done now is done in an hour.
            with suppress(ActaError, psycopg.Error):
                await self.forget()
            await asyncio.sleep(_HOUR)


async def _found(connection: Connection, key: OnceKey) -> tuple[list[str], Answer | None] | None:
    row = await (await connection.execute(_SQL["found"], key.values())).fetchone()
    if row is None:
        return None
    fingerprint, items, status, body = row
    if fingerprint != key.fingerprint:
        raise UnprocessableContent("This Idempotency-Key was used for another request")
    return list(items or ()), None if status is None else Answer(status, body or b"")
