"""Requests that may be sent again: an ``Idempotency-Key`` gives each the same answer for a day.

A key belongs to its sender. The first request under it claims it before it writes; its answer is kept when it
succeeds, and the key is given back when it is refused. A claim whose request died is taken over once it is
sure that it wrote nothing, which its events tell.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID

from domain.errors import RequestInProgress, UnprocessableContent
from projections.database import Database
from projections.sql import load

_SQL = load("writing/idempotency")
LONGEST_KEY = 255
# A request that holds its key longer than this without an event is taken for dead.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered before."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """A key held by one request."""

    actor: str
    key: str
    request: UUID


class IdempotencyKeys:
    """The keys of all senders."""

    def __init__(self, database: Database, patience: float = PATIENCE_SECONDS) -> None:
        self._database = database
        self._patience = patience

    async def claim(self, actor: str, key: str, content: bytes, request: UUID) -> Claim | Answer:
        """Take a key for a request, or get the answer given before; ``content`` is all that the request says.

        Raises:
            UnprocessableContent: the key was used for a request that said something else.
            RequestInProgress: the first request under the key has not been answered yet.
        """
        if not key or len(key) > LONGEST_KEY or "\0" in key:
            raise UnprocessableContent(f"An Idempotency-Key has 1 to {LONGEST_KEY} characters")
        values = {
            "actor": actor,
            "key": key,
            "fingerprint": hashlib.sha256(content).digest(),
            "request": str(request),
            "patience": self._patience,
        }
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["claim"], values)).fetchone()
            if row is not None:
                return Claim(actor, key, request)
            row = await (await connection.execute(_SQL["found"], values)).fetchone()
        if row is None or row[1] is None:
            raise RequestInProgress()
        fingerprint, status, body = row
        if fingerprint != values["fingerprint"]:
            raise UnprocessableContent("This Idempotency-Key was used for another request")
        return Answer(status, body or b"")

    async def settle(self, claim: Claim, status: int, body: bytes) -> None:
        """Keep the answer; a refusal gives the key back instead."""
        values = {
            "actor": claim.actor,
            "key": claim.key,
            "request": str(claim.request),
            "status": status,
            "body": body,
        }
        async with self._database.connection() as connection:
            await connection.execute(_SQL["settle" if status < 400 else "release"], values)

    async def forget(self) -> int:
        """Drop keys older than a day; gives their number."""
        async with self._database.connection() as connection:
            return (await connection.execute(_SQL["forget"])).rowcount
