"""Give finished events their positions, and chain them: the heart of ordering, wake-up and tamper evidence.

The rule (docs/log.md): a batch holds the events that are visible in the new snapshot and were not in the last
seal's. Every committed event becomes visible exactly once, so none is lost and none comes twice, whatever
runs beside; a transaction that stalls keeps only its own events waiting. Within a batch ``seq`` decides.
Positions are dense because one sealer at a time (an advisory lock) gives them out in one statement, which
happens whole or not at all.

The *floor* of a seal is a ``seq`` below which nothing unsealed can be any more, so that old partitions are
not looked at. It follows from the order in which a transaction gets its id and then its ``seq``: whoever
got an id after the sealer's own draws above everything drawn before the sealer got it. (The end of a
snapshot would not do in place of that id: ids above it may have been given out already, to transactions
that still run.)

Transaction ids mean nothing in another cluster. When the log wakes up in one (dump and restore), an *epoch*
seal takes in whatever no seal has, with all writers kept out, and raises the floor above everything there
is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from projections.database import Connection, Database
from projections.sql import load

SQL: Final = load("log/seal")
SEAL_LOCK: Final = 0x61637461_0002
CHANNEL: Final = "acta_sealed"
ORIGIN: Final = bytes(32)
# Events per seal: bounds what has to be read to prove or to find one.
PORTION: Final = 10_000
LOCK_SECONDS: Final = 0.05

LEAF: Final = SQL["leaf"].format(payload=SQL["payload_digest"], meta=SQL["meta_digest"])
SEAL: Final = SQL["seal"].format(leaf=LEAF, choice=SQL["finished_since"])
SEAL_EPOCH: Final = SQL["seal"].format(leaf=LEAF, choice=SQL["never_sealed"].format())


@dataclass(slots=True)
class Chain:
    """The end of the chain, and all that the next seal follows from. Pure: the SQL runs elsewhere."""

    id: int
    position: int
    root: bytes
    floor: int
    snapshot: str
    system_identifier: int
    foreign: bool
    drawn: int
    _floors: deque[tuple[int, int]] = field(default_factory=deque)

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Self:
        """From the row of the statement ``last``."""
        id_, position, floor, snapshot, sealed_in, root, here, drawn = row
        if id_ is None:
            return cls(-1, 0, ORIGIN, 0, "1:1:", here, True, drawn)
        return cls(id_, position, root, floor, snapshot, here, sealed_in != here, drawn)

    def parameters(self) -> dict[str, Any]:
        """The parameters of the statement ``seal``."""
        if self.foreign:
            self.floor, next_xid, running = self.drawn, 0, list[int]()
        else:
            oldest, next_xid, running = parse_snapshot(self.snapshot)
            while self._floors and self._floors[0][0] < oldest:
                self.floor = max(self.floor, self._floors.popleft()[1])
        return {
            "id": self.id,
            "last_position": self.position,
            "root": self.root,
            "floor": self.floor,
            "running": [str(xid) for xid in running],
            "next_xid": str(next_xid),
            "system_identifier": self.system_identifier,
            "portion": PORTION,
            "even_empty": self.foreign,
        }

    def advance(self, rows: Sequence[Sequence[Any]]) -> int:
        """Take in what the statement ``seal`` gave; gives the number of events sealed."""
        before = self.position
        for id_, position, root, *_ in rows:
            if id_ is not None:
                self.id, self.position, self.root = id_, position, root
        self.snapshot, drawn, own_xid = rows[-1][3], rows[-1][4], rows[-1][5]
        if own_xid is not None:
            # What we knew as drawn was drawn before we got this id.
            self._floors.append((int(own_xid), self.drawn))
        self.drawn, self.foreign = drawn, False
        return self.position - before


def parse_snapshot(text: str) -> tuple[int, int, list[int]]:
    """Of ``xmin:xmax:running``: ids below are finished, ids from here on are not, nor are those listed."""
    first, next_xid, running = text.split(":")
    return int(first), int(next_xid), [int(xid) for xid in running.split(",") if xid]


class Sealer:
    """Seals over one connection that holds the lock. Made by `try_open`."""

    def __init__(self, connection: Connection, chain: Chain) -> None:
        self._connection = connection
        self.chain = chain

    @classmethod
    async def try_open(cls, connection: Connection) -> Self | None:
        """Become the sealer for as long as the connection lives; None while another one is."""
        row = await (await connection.execute(SQL["try_lock"], {"key": SEAL_LOCK})).fetchone()
        if row is None or not row[0]:
            return None
        await connection.execute(SQL["configure"], {"local": False})
        return cls(connection, await read_chain(connection))

    async def seal(self) -> int:
        """Seal what has finished since the last time; gives the number of events."""
        if not self.chain.foreign:
            return await _seal(self._connection, self.chain)
        async with self._connection.transaction():
            return await _begin_epoch(self._connection, self.chain)


async def read_chain(connection: Connection) -> Chain:
    """The end of the chain as it stands."""
    row = await (await connection.execute(SQL["last"])).fetchone()
    assert row is not None
    return Chain.of_row(row)


async def ensure_epoch(database: Database) -> bool:
    """Before the first write in a new log, or in a cluster the log was restored into: begin an epoch.

    Gives whether it did. When another process is at it, waits for it.
    """
    while True:
        async with database.transaction() as connection:
            if not (await read_chain(connection)).foreign:
                return False
            row = await (await connection.execute(SQL["try_transaction_lock"], {"key": SEAL_LOCK})).fetchone()
            if row is not None and row[0]:
                chain = await read_chain(connection)
                if not chain.foreign:
                    return False
                await _begin_epoch(connection, chain)
                return True
        await asyncio.sleep(LOCK_SECONDS)


async def _begin_epoch(connection: Connection, chain: Chain) -> int:
    await connection.execute(SQL["lock_events"])
    # Only now is it sure what has been drawn: nobody else draws until we have ended.
    chain.drawn = (await read_chain(connection)).drawn
    cursor = await connection.execute(SEAL_EPOCH, chain.parameters())
    return chain.advance(await cursor.fetchall())


async def _seal(connection: Connection, chain: Chain) -> int:
    cursor = await connection.execute(SEAL, chain.parameters())
    return chain.advance(await cursor.fetchall())
