"""A transaction that everything awaited inside it takes part in, whoever asks the database for a connection.

Flows and hooks that look at a write before it happens belong to its transaction, and they call readers and
writers that know nothing of it. One that fails inside takes the whole transaction along, also where whoever
called it carries on: half a command must never be committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from psycopg import AsyncConnection
from psycopg import Error as PostgresError
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from domain.errors import InternalError


class Bound:
    """The transaction's connection, for one task at a time."""

    def __init__(self, connection: AsyncConnection[TupleRow]) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()
        self._holder: asyncio.Task[object] | None = None
        self.open = True
        self.failed: Exception | None = None

    @asynccontextmanager
    async def connection(self, *, whole: bool) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """The connection; with ``whole`` anything that fails in the block fails the transaction."""
        task = asyncio.current_task()
        held = self._holder is task
        if not held:
            await self._lock.acquire()
            self._holder = task
        try:
            yield self._connection
        except BaseException as error:
            if whole or self._connection.info.transaction_status != TransactionStatus.INTRANS:
                self._fail(error)
            raise
        finally:
            if not held:
                self._holder = None
                self._lock.release()

    def _fail(self, error: BaseException) -> None:
        if self.failed is None:
            interrupted = InternalError("A write was interrupted")
            self.failed = error if isinstance(error, Exception) else interrupted


_bound: ContextVar[Bound | None] = ContextVar("bound transaction", default=None)


def bound() -> Bound | None:
    """The transaction that the current task is part of."""
    found = _bound.get()
    # A task that was started inside may outlive it.
    return found if found is not None and found.open else None


@contextmanager
def binding(connection: AsyncConnection[TupleRow]) -> Iterator[None]:
    """Make the open transaction of a connection that of everything inside the block.

    Raises:
        Exception: what failed inside, also when somebody carried on after it.
    """
    made = Bound(connection)
    token = _bound.set(made)
    try:
        yield
        if made.failed is not None:
            raise made.failed
    except Exception as error:
        # A conflict with another transaction is whoever's that began this one, who can try it again.
        if isinstance(made.failed, PostgresError) and made.failed is not error:
            raise made.failed from error
        raise
    finally:
        made.open = False
        _bound.reset(token)
