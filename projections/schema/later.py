"""Indexes that are made without blocking writers, after the transaction that asked for them.

A build that fails, or whose process dies, leaves an index behind that is good for nothing. It is removed, at
the next attempt at the latest. An index that is valid is somebody's, whatever it is called.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

from projections.database import Connection, Database
from projections.schema import ddl
from projections.schema.refusals import refusal
from projections.sql import load

_STATEMENTS = load("schema/session")
LOCK: Final = 0x61637461_0009
TURN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Later:
    """An index for the time after the commit: how to make it, where it is, and what it is about."""

    statement: sql.Composed
    schema: str
    name: str
    about: tuple[str, str | None]


async def make_later(database: Database, wanted: Sequence[Later]) -> None:
    """Make indexes, one after the other.

    Raises:
        ActaError: for what PostgreSQL refuses; the index is not there then.
    """
    for later in wanted:
        async with database.connection() as connection, _turn(connection):
            await _remove_invalid(connection, later)
            try:
                await connection.execute(later.statement)
            except psycopg.Error as error:
                await _remove_invalid(connection, later)
                raise refusal(error, *later.about) or error from error


@asynccontextmanager
async def _turn(connection: Connection) -> AsyncIterator[None]:
    """One build at a time among all processes: one that is under way looks like one that failed."""
    while True:
        # Whoever waited inside a statement would be waited for by the build.
        if await _one(connection, "try_building"):
            break
        await asyncio.sleep(TURN_SECONDS)
    try:
        yield
    finally:
        await _one(connection, "end_building")


async def _one(connection: Connection, statement: str) -> bool:
    row = await (await connection.execute(_STATEMENTS[statement], {"key": LOCK})).fetchone()
    return row is not None and bool(row[0])


async def _remove_invalid(connection: Connection, later: Later) -> None:
    place = {"schema": later.schema, "name": later.name}
    row = await (await connection.execute(_STATEMENTS["invalid_index"], place)).fetchone()
    if row is not None:
        await connection.execute(ddl.drop_index(later.schema, later.name, concurrently=True))
