"""The one door to PostgreSQL: a pool of asynchronous connections with Acta's session settings.

Connections are in autocommit mode: a single statement is its own transaction, several go through
`Database.transaction`. Names are always qualified in our SQL, so ``search_path`` stays the user's. A server
that can't be reached is a `ServiceUnavailable`; every other error of the driver passes through as it is
(`projections.errors` translates those where the collection is known).
"""

from __future__ import annotations

import asyncio
import select
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import orjson
import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from domain.errors import ServiceUnavailable
from projections.bound import bound

Connection: TypeAlias = AsyncConnection[TupleRow]

MINIMUM_VERSION = 150000
# The text of values stored in the log depends on these, so nothing outside may choose them.
SESSION_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
    # Compiling a plan costs more than any of our short statements gains by it.
    "jit": "off",
}
CONNECT_SECONDS = 5
WAIT_SECONDS = 5.0
# The pool doubles its pause between attempts and starts afresh after this long, so it is also the
# longest time that a server is back without us noticing.
RECONNECT_SECONDS = 4.0
# A connection out of the pool's sight for longer than this is shown to it, which may end or replace it.
KEPT_SECONDS = 60.0

_holding: ContextVar[bool] = ContextVar("holding a connection", default=False)


class Database:
    """A pool of connections to one database. Made by `open`, ended by `close`.

    The pool makes, checks and replaces connections. Who has one passes it on to the next in line, or leaves
    it here at hand, since the way through the pool's lock takes more of a short request than anything else
    that is done with a connection. Whoever asks for one while holding another never waits in line: all others
    may do the same.
    """

    def __init__(self, pool: AsyncConnectionPool[Connection], conninfo: str) -> None:
        self._pool = pool
        self.conninfo = conninfo
        self._kept: deque[_Kept] = deque()
        # Who waits for a connection, or (when given None) for the right to ask the pool for one.
        self._line: deque[asyncio.Future[_Kept | None]] = deque()
        self._lent = 0
        self._open = True

    @classmethod
    async def open(cls, url: str, *, minimum: int = 1, maximum: int = 16, application: str = "acta") -> Self:
        """Connect. Raises ServiceUnavailable when the server can't be reached or is too old."""
        conninfo = session_conninfo(url, application)
        # The pool's own waiting would hide the reason of a failure.
        async with await connect(conninfo):
            pass
        pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            conninfo,
            kwargs={"autocommit": True},
            configure=_configure,
            min_size=minimum,
            max_size=max(minimum, maximum),
            timeout=WAIT_SECONDS,
            reconnect_timeout=RECONNECT_SECONDS,
            name=application,
            open=False,
        )
        await pool.open()
        return cls(pool, conninfo)

    async def close(self) -> None:
        """Close all connections; those in use when they come back."""
        self._open = False
        while self._kept:
            await self._return(self._kept.pop())
        await self._pool.close()

    async def __aenter__(self) -> Self:
        """Nothing to do: an opened database is its own context, so that tests read well."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection in autocommit mode, or that of the transaction the caller is part of
        (`projections.bound`).

        Raises ServiceUnavailable when the server is lost.
        """
        within = bound()
        if within is not None:
            async with within.connection(whole=False) as connection:
                yield connection
            return
        kept = await self._take()
        outer = _holding.get()
        _holding.set(True)
        try:
            yield kept.connection
        except psycopg.Error as error:
            if is_lost(error):
                raise ServiceUnavailable("database", "the connection was lost") from error
            raise
        finally:
            # Not by a token: the block may end in another task than it began in.
            _holding.set(outer)
            await self._give(kept)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside BEGIN .. COMMIT; rolled back when the block raises."""
        within = bound()
        if within is not None:
            async with within.connection(whole=True) as connection:
                yield connection
            return
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def dedicated(self) -> Connection:
        """A new connection outside the pool: for LISTEN, for session locks, and for what must not be part of
        the caller's transaction (`projections.bound`). The caller closes it."""
        return await connect(self.conninfo)

    def statistics(self) -> dict[str, int]:
        """The pool's counters, for metrics and health."""
        found = self._pool.get_stats()
        return {**found, "pool_available": found["pool_available"] + len(self._kept)}

    async def _take(self) -> _Kept:
        # A connection that died meanwhile (server restarted) costs no request: the pool replaces it.
        while self._kept:
            kept = self._kept.pop()
            if not _died(kept.connection):
                return kept
            await self._return(kept)
        if self._lent < self._pool.max_size:
            self._lent += 1
        elif _holding.get():
            return _Kept(await self.dedicated(), time.monotonic(), beyond=True)
        elif (passed := await self._wait()) is not None:
            return passed
        return await self._borrow()

    async def _borrow(self) -> _Kept:
        """A connection of the pool, for who has the right to one."""
        try:
            while True:
                connection = await self._pool.getconn()
                if not _died(connection):
                    return _Kept(connection, time.monotonic())
                await self._pool.putconn(connection)
        except BaseException as error:
            self._vacate()
            if isinstance(error, PoolTimeout):
                raise ServiceUnavailable("database", "no connection in time") from error
            raise

    async def _wait(self) -> _Kept | None:
        turn: asyncio.Future[_Kept | None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                # It came at the moment of giving up.
                await self._pass_on(turn.result())
            if isinstance(error, TimeoutError):
                raise ServiceUnavailable("database", "no connection in time") from error
            raise

    async def _pass_on(self, kept: _Kept | None) -> None:
        if kept is None:
            self._vacate()
        else:
            await self._give(kept)

    async def _give(self, kept: _Kept) -> None:
        if kept.beyond:
            await kept.connection.close()
            return
        idle = kept.connection.pgconn.transaction_status == TransactionStatus.IDLE
        old = time.monotonic() - KEPT_SECONDS
        if not idle or not self._open or kept.since < old:
            await self._return(kept)
        elif (turn := self._next()) is not None:
            turn.set_result(kept)
        else:
            self._kept.append(kept)
            # The last in is the first out, so those that are not needed gather at the other end.
            if self._kept[0].since < old:
                await self._return(self._kept.popleft())

    async def _return(self, kept: _Kept) -> None:
        try:
            await self._pool.putconn(kept.connection)
        finally:
            self._vacate()

    def _vacate(self) -> None:
        if (turn := self._next()) is not None:
            turn.set_result(None)
        else:
            self._lent -= 1

    def _next(self) -> asyncio.Future[_Kept | None] | None:
        """Who is first in line; those that gave up are passed over."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                return turn
        return None


@dataclass(frozen=True, slots=True)
class _Kept:
    """A connection, since when the pool has not seen it, and whether it is none of the pool's."""

    connection: Connection
    since: float
    beyond: bool = False


def session_conninfo(url: str, application: str) -> str:
    """The connection string with Acta's session settings, which win over options in the URL."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise ServiceUnavailable("database", f"DATABASE_URL is invalid: {_first_line(error)}") from error
    settings = " ".join(f"-c {name}={value}" for name, value in SESSION_SETTINGS.items())
    values: dict[str, Any] = {
        "application_name": application,
        "connect_timeout": CONNECT_SECONDS,
        **given,
        "options": f"{given.get('options') or ''} {settings}".strip(),
    }
    return make_conninfo("", **values)


async def connect(conninfo: str) -> Connection:
    """One autocommit connection with our settings. Raises ServiceUnavailable."""
    try:
        connection = await AsyncConnection.connect(conninfo, autocommit=True)
    except psycopg.Error as error:
        raise ServiceUnavailable("database", _first_line(error)) from error
    if connection.info.server_version < MINIMUM_VERSION:
        version = connection.info.server_version // 10000
        await connection.close()
        raise ServiceUnavailable("database", f"PostgreSQL {version} is too old: Acta needs 15 or newer")
    await _configure(connection)
    return connection


def is_lost(error: psycopg.Error) -> bool:
    """Whether an error of the driver means that the server, not the statement, is the trouble."""
    if isinstance(error, psycopg.OperationalError):
        # Class 08 connection exceptions, 57P0x shutdown and recovery, 53300 too many connections.
        state = error.sqlstate
        return state is None or state[:2] == "08" or state[:4] == "57P0" or state == "53300"
    return isinstance(error, psycopg.InterfaceError) and "closed" in str(error)


async def _configure(connection: Connection) -> None:
    set_json_dumps(orjson.dumps, connection)
    set_json_loads(orjson.loads, connection)


def _died(connection: Connection) -> bool:
    """Look, without a round trip, whether the server has hung up on an idle connection."""
    poll = select.poll()
    try:
        poll.register(connection.pgconn.socket, select.POLLIN)
        while poll.poll(0):
            connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return True
    return connection.broken or connection.closed


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip().rstrip(".")
