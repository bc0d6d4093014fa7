"""Verify the hash chain, and find the first position that was tampered with.

Each seal's root is a digest of the previous root, of its events' leaves and of the seal itself, so nothing
sealed can be changed, swapped, removed, inserted or cut off without a root that doesn't follow. What can't
be seen from within is a log rewritten from some position to its end by somebody who also made all seals
anew, or an end cut off together with every trace of it: hold a root that you noted elsewhere against it
(`Anchor`).

The statements are ours, not functions in the database: those could have been tampered with too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from psycopg import sql

from domain.errors import ServiceUnavailable
from projections.database import Connection, Database
from projections.log.archived import SQL as ARCHIVED
from projections.log.archived import Digested, Source, archived_numbers, digest, unreadable
from projections.log.positions import position_of, require_log
from projections.log.seal import ORIGIN, read_chain
from projections.log.seal import SQL as SEAL
from projections.sql import load

SQL: Final = load("log/verify")
# Positions digested by one statement: enough to hide its own cost, few enough to show progress.
WINDOW: Final = 20_000
SEALS: Final = 2_000
LEAF_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Anchor:
    """A root noted earlier, outside the database: what stood at a position."""

    position: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """The first position at which the log isn't what was sealed."""

    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What verifying found: the end of the chain, and None or the first thing that is wrong."""

    position: int
    root: bytes
    finding: Finding | None


@dataclass(frozen=True, slots=True)
class _Seal:
    id: int
    first_position: int
    last_position: int
    previous: bytes
    root: bytes


async def verify(
    database: Database,
    *,
    anchor: Anchor | None = None,
    connections: int = 2,
    progress: Callable[[int, int], None] = lambda done, total: None,
    source: Source = unreadable,
) -> Outcome:
    """Digest the whole log anew, as of one moment; writers go on meanwhile.

    ``progress`` hears the positions done and in all; ``source`` gives the rows of archives. Raises
    ServiceUnavailable when there is no log, or parts of it are archived or recalled meanwhile.
    """
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(database.connection())
        await require_log(first)
        leaf, redactions = await choose_leaf(first)
        stack.push_async_callback(first.execute, ARCHIVED["drop"])
        archived = await digest(first, source, leaf, redactions)
        if archived.numbers:
            # The digests of archives stand in this session alone.
            connections = 1
        await _begin(first)
        row = await (await first.execute(SQL["share"])).fetchone()
        assert row is not None
        sharing = [first]
        for _ in range(connections - 1):
            other = await stack.enter_async_context(database.connection())
            await _begin(other, snapshot=row[0])
            sharing.append(other)
        try:
            if archived.broken is not None:
                return Outcome(0, ORIGIN, Finding(*archived.broken))
            if await archived_numbers(first) != archived.numbers:
                raise ServiceUnavailable("log", "parts of it were archived or recalled meanwhile")
            return await _Verification(sharing, anchor, progress, archived).run()
        finally:
            for connection in sharing:
                await connection.execute("rollback")


async def _begin(connection: Connection, snapshot: str | None = None) -> None:
    await connection.execute(SQL["begin"])
    if snapshot is not None:
        statement = sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot))
        await connection.execute(statement)


async def choose_leaf(connection: Connection) -> tuple[sql.Composed, sql.Composable]:
    """How an event is digested, and the join that takes; dearer where anything was ever redacted."""
    row = await (await connection.execute(SQL["has_redactions"])).fetchone()
    payload, meta = SEAL["payload_digest"], SEAL["meta_digest"]
    if row is None or not row[0]:
        return SEAL["leaf"].format(payload=payload, meta=meta), sql.SQL("")
    leaf = SEAL["leaf"].format(
        payload=SQL["payload_digest"].format(digest=payload), meta=SQL["meta_digest"].format(digest=meta)
    )
    return leaf, SQL["redactions"]


class _Verification:
    def __init__(
        self,
        connections: Sequence[Connection],
        anchor: Anchor | None,
        progress: Callable[[int, int], None],
        archived: Digested,
    ) -> None:
        self._connections = connections
        self._first = connections[0]
        self._anchor = anchor
        self._progress = progress
        self._position, self._root = 0, ORIGIN
        self._anchored = anchor is None
        self._archived = archived
        self._leaf: sql.Composed
        self._redactions: sql.Composable

    async def run(self) -> Outcome:
        chain = await read_chain(self._first)
        self._leaf, self._redactions = await choose_leaf(self._first)
        finding = await self._follow_chain(chain.position)
        candidates = [finding, await self._never_sealed(chain.foreign)]
        candidates.append(await self._changed_kept())
        if finding is None:
            # Later than any of the others can be, and not to be told when the chain itself is broken.
            candidates += [await self._changed_redaction(), self._unanchored(), await self._cut_off()]
        found = [candidate for candidate in candidates if candidate is not None]
        return Outcome(self._position, self._root, min(found, key=lambda f: f.position, default=None))

    async def _follow_chain(self, total: int) -> Finding | None:
        last = _Seal(-1, 1, 0, b"", ORIGIN)
        while seals := await self._seals_after(last.id):
            before, broken = last, None
            for index, seal in enumerate(seals):
                broken = self._unlinked(seal, before)
                if broken is not None:
                    # What stands before the break is sound only if its events are.
                    return await self._check(seals[:index], total) or await self._broken_link(
                        before, seal, broken
                    )
                before = seal
            finding = await self._check(seals, total)
            if finding is not None:
                return finding
            last = before
            self._position, self._root = last.last_position, last.root
        return None

    async def _broken_link(self, before: _Seal, seal: _Seal, broken: Finding) -> Finding:
        if seal.id != before.id + 1 or seal.previous == before.root or before.id < 0:
            return broken
        if await self._broken(self._first, [seal]) is None:
            # This one still proves what it followed on, so the one before was made anew.
            return Finding(max(before.first_position, 1), f"seal {before.id} was made anew")
        return broken

    async def _seals_after(self, id_: int) -> list[_Seal]:
        cursor = await self._first.execute(SQL["seals"], {"after": id_, "limit": SEALS})
        return [_Seal(*row) for row in await cursor.fetchall()]

    def _unlinked(self, seal: _Seal, before: _Seal) -> Finding | None:
        position = before.last_position + 1
        if seal.id != before.id + 1:
            return Finding(position, f"seal {before.id + 1} is missing")
        if seal.previous != before.root:
            return Finding(position, f"seal {seal.id} does not continue the chain")
        if seal.first_position != position or seal.last_position < position - 1:
            return Finding(position, f"seal {seal.id} does not continue the positions")
        if self._anchor is not None and self._anchor == Anchor(seal.last_position, seal.root):
            self._anchored = True
        return None

    async def _check(self, seals: Sequence[_Seal], total: int) -> Finding | None:
        """Digest the events of some seals, on all connections at once; their first finding."""
        windows = list(_windows(seals))
        for start in range(0, len(windows), len(self._connections)):
            group = windows[start : start + len(self._connections)]
            checks = [
                self._broken(connection, window)
                for connection, window in zip(self._connections, group, strict=False)
            ]
            broken = [seal for seal in await asyncio.gather(*checks) if seal is not None]
            if broken:
                return await self._locate(*broken[0])
            self._progress(group[-1][-1].last_position, total)
        return None

    async def _broken(self, connection: Connection, seals: Sequence[_Seal]) -> tuple[_Seal, bool] | None:
        statement = SQL["check"].format(
            leaf=self._leaf, redactions=self._redactions, archived=self._of_archives("archived")
        )
        cursor = await connection.execute(statement, {"first": seals[0].id, "last": seals[-1].id})
        for seal, (_, rooted, leaved) in zip(seals, await cursor.fetchall(), strict=True):
            if not (rooted and leaved):
                return seal, rooted
        return None

    async def _locate(self, seal: _Seal, rooted: bool) -> Finding:
        altered = Finding(max(seal.first_position, 1), f"seal {seal.id} was altered")
        if rooted:
            return altered
        row = await (await self._first.execute(SQL["members"], {"id": seal.id})).fetchone()
        assert row is not None
        pieces, noted = row
        statement = SQL["leaves"].format(
            leaf=self._leaf, redactions=self._redactions, archived=self._of_archives("archived_leaves")
        )
        present: dict[int, bytes] = dict(
            await (await self._first.execute(statement, {"id": seal.id})).fetchall()
        )
        for rank, seq in enumerate(_members(pieces, limit=len(noted) // LEAF_BYTES + 1)):
            if seq not in present:
                return Finding(seal.first_position + rank, f"event {seq} was removed")
            if present[seq] != noted[rank * LEAF_BYTES : (rank + 1) * LEAF_BYTES]:
                return Finding(seal.first_position + rank, f"event {seq} was changed")
        return altered

    async def _never_sealed(self, foreign: bool) -> Finding | None:
        statement = SQL["never_sealed"].format()
        row = await (await self._first.execute(statement, {"foreign": foreign})).fetchone()
        return None if row is None else Finding(row[1], f"event {row[0]} was inserted")

    async def _changed_redaction(self) -> Finding | None:
        statement = SQL["changed_redactions"].format(
            payload=SEAL["payload_digest"],
            meta=SEAL["meta_digest"],
            ranges=sql.Literal(self._archived.ranges),
        )
        findings = [
            Finding(
                await position_of(self._first, seq) or 0, f"event {seq} was changed after it was redacted"
            )
            for (seq,) in await (await self._first.execute(statement)).fetchall()
        ]
        return min(findings, key=lambda finding: finding.position, default=None)

    async def _changed_kept(self) -> Finding | None:
        """What is kept in the place of an archive has to be what the archive holds."""
        if not self._archived.numbers:
            return None
        statement = ARCHIVED["kept"].format(leaf=self._leaf, redactions=self._redactions)
        row = await (await self._first.execute(statement)).fetchone()
        if row is None:
            return None
        return Finding(await position_of(self._first, row[0]) or 0, f"event {row[0]} was changed")

    def _of_archives(self, part: str) -> sql.Composable:
        if not self._archived.numbers:
            return sql.SQL("")
        return SQL[part].format(ranges=sql.Literal(self._archived.ranges))

    def _unanchored(self) -> Finding | None:
        if self._anchored or self._anchor is None:
            return None
        if self._anchor.position > self._position:
            return Finding(self._position + 1, f"the log was cut off: it reached {self._anchor.position}")
        return Finding(1, f"the log was rewritten: position {self._anchor.position} had another root")

    async def _cut_off(self) -> Finding | None:
        row = await (await self._first.execute(SQL["cursors"])).fetchone()
        if row is None or row[1] <= self._position:
            return None
        return Finding(self._position + 1, f"the log was cut off: {row[0]} has been at {row[1]}")


def _windows(seals: Sequence[_Seal]) -> Iterator[Sequence[_Seal]]:
    start, positions = 0, 0
    for index, seal in enumerate(seals):
        positions += seal.last_position + 1 - seal.first_position
        if positions >= WINDOW:
            yield seals[start : index + 1]
            start, positions = index + 1, 0
    if start < len(seals):
        yield seals[start:]


def _members(pieces: Sequence[Sequence[int]], limit: int) -> Iterator[int]:
    # A seal that was altered may name any range.
    for first, end in pieces:
        yield from range(first, min(end, first + limit))
