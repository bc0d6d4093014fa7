"""Running the statements of a command: on whose connection, how often, and what becomes of errors."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TypeVar

import psycopg

from domain.access.command import Command
from projections.bound import bound
from projections.database import Connection, Database
from projections.errors import Attempt, translate
from projections.reading.channel import fetch_rows

T = TypeVar("T")
_ATTEMPTS = 4
_seconds: ContextVar[float] = ContextVar("longest time of one statement", default=30.0)
_CONFLICTS = frozenset({"40001", "40P01"})


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """No statement of the commands inside runs, or waits for a lock, longer than this; 0 for no limit."""
    token = _seconds.set(seconds)
    try:
        yield
    finally:
        _seconds.reset(token)


@asynccontextmanager
async def single(database: Database, connection: Connection | None) -> AsyncIterator[Connection]:
    """A connection for one statement, which is a transaction by itself; or the caller's own."""
    if connection is not None:
        yield connection
    else:
        async with database.connection() as own:
            yield own


@asynccontextmanager
async def several(database: Database, connection: Connection | None) -> AsyncIterator[Connection]:
    """A transaction for several statements; or the caller's own.

    Never a savepoint: a row's ``xmin`` has to be the transaction that its events tell of.
    """
    if connection is not None:
        yield connection
    else:
        async with database.transaction() as own:
            yield own


async def execute(
    connection: Connection, statement: bytes, parameters: Sequence[str | None], attempt: Attempt
) -> list[list[str | None]]:
    """Run a statement; its rows, as texts.

    Raises:
        ActaError: what the database refuses, translated; conflicts pass as they are when they can be tried
            again.
    """
    bound = [None if value is None else value.encode() for value in parameters]
    try:
        found = await fetch_rows(connection, attempt.model.version, statement, bound, _seconds.get())
    except psycopg.Error as error:
        if error.sqlstate in _CONFLICTS:
            raise
        raise translate(error, attempt) from error
    return [[None if value is None else value.decode() for value in row] for row in found]


async def persistently(run: Callable[[], Awaitable[T]], connection: Connection | None) -> T:
    """Run a command again when it lost a deadlock; not inside a transaction of the caller's, which is lost
    too. Of one that it is bound to, the conflict is passed on as it is."""
    if connection is None and bound() is not None:
        return await run()
    for left in reversed(range(1 if connection is not None else _ATTEMPTS)):
        try:
            return await run()
        except psycopg.Error as error:
            if error.sqlstate not in _CONFLICTS or left == 0:
                raise translate(error) from error
            await asyncio.sleep(random.uniform(0.005, 0.05))
    raise AssertionError("unreachable")


def origin(command: Command) -> tuple[str | None, str, str | None]:
    """Actor, request and context, as every event's parameters."""
    user, context = command.caller.user, command.context
    return (
        None if user is None else str(user),
        str(command.request),
        None if context is None else str(context),
    )
