"""From a moment to a cut through the log: which events had happened by then, and which had not.

A cut is a position, so it lies in the order of commits and never splits a transaction that was over. In terms
of ``seq`` it is "up to one, but for a few": those of transactions that drew their numbers early and committed
late.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from domain.errors import InvalidPayload, ServiceUnavailable
from domain.log.moments import When
from projections.database import Connection, Database
from projections.log.archived import archived_hint, require_present
from projections.log.positions import last_position, position_at, position_of, require_log
from projections.log.seal import Sealer
from projections.sql import load

SQL: Final = load("time/moments")
WAIT_SECONDS: Final = 0.05
WAITS: Final = 100


@dataclass(frozen=True, slots=True)
class Cut:
    """The events at positions up to ``position``: those with a seq up to ``upto`` that ``later`` lacks.

    ``later`` is the text of an ``int8multirange``.
    """

    position: int
    upto: int
    later: str

    def parameters(self) -> dict[str, Any]:
        """The cut as statements take it."""
        return {"position": self.position, "upto": self.upto, "later": self.later}


async def settle(database: Database) -> None:
    """Give positions to all events that have been committed; waits for a running sealer.

    Raises:
        ServiceUnavailable: when another process has the sealer's lock and does not seal.
    """
    async with await database.dedicated() as connection:
        await require_log(connection)
        sealer = await Sealer.try_open(connection)
        if sealer is not None:
            await sealer.seal()
            return
        newest = await _newest(connection)
        for _ in range(WAITS):
            if newest is None or await position_of(connection, newest) is not None:
                return
            await asyncio.sleep(WAIT_SECONDS)
    raise ServiceUnavailable("log", "its newest events aren't sealed: the worker that seals does not answer")


async def _newest(connection: Connection) -> int | None:
    row = await (await connection.execute("select max(seq) from acta.events")).fetchone()
    return None if row is None else row[0]


async def resolve(connection: Connection, when: When) -> Cut:
    """The cut at a moment that states can be told of.

    Raises as :func:`position_at_moment`; also InvalidPayload when its events are archived.
    """
    cut = await cut_at(connection, await position_at_moment(connection, when))
    await require_present(connection, cut.upto, cut.later)
    return cut


async def position_at_moment(connection: Connection, when: When) -> int:
    """The position that a moment stands for.

    Raises:
        InvalidPayload: for a moment before the log or in the future, and for an unknown position or request.
    """
    last = await last_position(connection)
    if isinstance(when, UUID):
        position = await _of_request(connection, when)
    elif isinstance(when, datetime):
        position = await _at(connection, when)
    else:
        position = when
    if not 0 < position <= last:
        raise InvalidPayload(f"The log has no position {position}: it ends at {last}")
    return position


async def cut_at(connection: Connection, position: int) -> Cut:
    """The cut at a position that is there."""
    row = await (await connection.execute(SQL["seal_of"], {"position": position})).fetchone()
    assert row is not None
    values: dict[str, Any] = {"id": row[0], "position": position}
    row = await (await connection.execute(SQL["upto"], values)).fetchone()
    assert row is not None
    values["upto"] = row[0]
    found = await (await connection.execute(SQL["later"], values)).fetchone()
    assert found is not None
    return Cut(position, values["upto"], found[0])


async def _of_request(connection: Connection, request: UUID) -> int:
    row = await (await connection.execute(SQL["last_of_request"], {"request": request})).fetchone()
    position = None if row is None or row[0] is None else await position_of(connection, row[0])
    if position is None:
        raise InvalidPayload(f"The log knows no request {request}{await archived_hint(connection)}")
    return position


async def _at(connection: Connection, moment: datetime) -> int:
    if moment > datetime.now(UTC):
        raise InvalidPayload(f"{moment.isoformat()} is in the future")
    position = await position_at(connection, moment)
    if position == 0:
        row = await (await connection.execute(SQL["first_sealed"])).fetchone()
        begin = "it is empty" if row is None or row[0] is None else f"it begins at {row[0].isoformat()}"
        raise InvalidPayload(f"{moment.isoformat()} is before the log: {begin}")
    return position
