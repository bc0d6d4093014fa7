"""One statement over one connection, with as little Python around libpq as it takes.

psycopg's cursors adapt values, keep results as rows and wait through generators: three times the work of what
a read needs, which is one value, untouched. This module talks to `psycopg.pq`, the documented layer below. A
statement that a connection meets for the second time is prepared there.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from weakref import WeakKeyDictionary

from psycopg import errors as driver
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from domain.errors import ServiceUnavailable
from projections.database import Connection
from projections.reading.statement import Bound, Statement

MAX_PREPARED = 250
MAX_PREPARED_BYTES = 2_000_000
"""Of the texts of what one connection has prepared: PostgreSQL keeps several times as much of them."""
DRAIN_SECONDS = 5.0
BLOCK = 64 * 1024
_GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)

_Key = tuple[int, bytes]


class _Prepared:
    """What one connection has prepared: the name by statement, None for one met only once."""

    def __init__(self) -> None:
        self.names: OrderedDict[_Key, bytes | None] = OrderedDict()
        self.size = 0
        self.count = 0

    def new_name(self) -> bytes:
        self.count += 1
        return b"acta_" + str(self.count).encode()


_prepared: WeakKeyDictionary[Connection, _Prepared] = WeakKeyDictionary()


async def fetch(
    connection: Connection, statement: Statement, parameters: Sequence[Bound], seconds: float
) -> list[bytes | None]:
    """The first column of a statement's answer.

    Raises:
        ServiceUnavailable: when the statement runs longer than ``seconds``.
        psycopg.Error: what PostgreSQL refuses.
    """
    result = await _run(connection, (statement.version, statement.text), parameters, seconds)
    value = result.get_value
    return [value(row, 0) for row in range(result.ntuples)]


async def fetch_whole_rows(
    connection: Connection, statement: Statement, parameters: Sequence[Bound], seconds: float
) -> list[list[bytes | None]]:
    """The rows of a statement's answer. Raises as :func:`fetch`."""
    return await fetch_rows(connection, statement.version, statement.text, parameters, seconds)


async def fetch_rows(
    connection: Connection, version: int, text: bytes, parameters: Sequence[Bound], seconds: float
) -> list[list[bytes | None]]:
    """The rows of a statement's answer, values as PostgreSQL's texts of them. Raises as :func:`fetch`."""
    result = await _run(connection, (version, text), parameters, seconds)
    value, columns = result.get_value, range(result.nfields)
    return [[value(row, column) for column in columns] for row in range(result.ntuples)]


async def copy_out(connection: Connection, command: bytes, seconds: float) -> AsyncGenerator[bytes]:
    """The rows of a ``COPY ... TO STDOUT``, as they are sent, in blocks.

    libpq gives them row by row; waiting for each of a million by itself would cost ten times what they are
    worth. The connection is closed when it isn't read to the end.

    Raises:
        ServiceUnavailable: when PostgreSQL sends nothing for ``seconds``.
        psycopg.Error: what PostgreSQL refuses.
    """
    pgconn = connection.pgconn
    pgconn.send_query(command)
    finished = False
    try:
        await _in_time(pgconn, seconds)
        _good(pgconn.get_result(), ExecStatus.COPY_OUT)
        block, size = [], 0
        while not finished:
            length, row = pgconn.get_copy_data(1)
            if length > 0:
                block.append(bytes(row))
                size += length
            finished = length < 0
            if block and (finished or size >= BLOCK):
                yield b"".join(block)
                block, size = [], 0
            if length == 0:
                await _in_time(pgconn, seconds, anything=True)
        while (result := pgconn.get_result()) is not None:
            _good(result, ExecStatus.COMMAND_OK)
    finally:
        if finished:
            while pgconn.get_result() is not None:
                pass
        else:
            with suppress(driver.Error):
                await connection.cancel_safe(timeout=DRAIN_SECONDS)
            await connection.close()


def _good(result: PGresult | None, wanted: ExecStatus) -> None:
    if result is None:
        raise driver.OperationalError("the server has sent no answer")
    if result.status != wanted:
        raise driver.error_from_result(result, encoding="utf-8")


async def _in_time(pgconn: PGconn, seconds: float, *, anything: bool = False) -> None:
    try:
        await _until(pgconn, seconds, anything=anything)
    except TimeoutError:
        raise too_long(seconds) from None


async def _run(connection: Connection, key: _Key, parameters: Sequence[Bound], seconds: float) -> PGresult:
    pgconn = connection.pgconn
    if pgconn.transaction_status != TransactionStatus.IDLE or len(key[1]) > MAX_PREPARED_BYTES // 8:
        # A name that has gone would cost the whole transaction; here a statement hardly comes again anyway.
        return await _plainly(connection, key[1], parameters, seconds)
    known = _prepared.get(connection)
    if known is None:
        known = _prepared[connection] = _Prepared()
    name = known.names.get(key)
    if name is None:
        name = await _introduce(connection, known, key, seconds)
    else:
        known.names.move_to_end(key)
    if name is None:
        return await _plainly(connection, key[1], parameters, seconds)
    pgconn.send_query_prepared(name, parameters)
    try:
        return await _answer(connection, pgconn, seconds)
    except driver.InvalidSqlStatementName:
        # psycopg deallocates all statements of a connection after DDL, ours among them.
        known.names.clear()
        known.size = 0
        return await _plainly(connection, key[1], parameters, seconds)


async def _plainly(
    connection: Connection, text: bytes, parameters: Sequence[Bound], seconds: float
) -> PGresult:
    connection.pgconn.send_query_params(text, parameters)
    return await _answer(connection, connection.pgconn, seconds)


async def _introduce(connection: Connection, known: _Prepared, key: _Key, seconds: float) -> bytes | None:
    """Prepare what is met again; remember what is met first."""
    pgconn = connection.pgconn
    if key not in known.names:
        known.names[key] = None
        known.size += len(key[1])
        while len(known.names) > MAX_PREPARED or known.size > MAX_PREPARED_BYTES:
            (_, text), name = known.names.popitem(last=False)
            known.size -= len(text)
            if name is not None:
                pgconn.send_query_params(b"DEALLOCATE " + name, None)
                with suppress(driver.InvalidSqlStatementName):
                    await _answer(connection, pgconn, seconds)
        return None
    name = known.new_name()
    pgconn.send_prepare(name, key[1])
    await _answer(connection, pgconn, seconds)
    known.names[key] = name
    known.names.move_to_end(key)
    return name


async def _answer(connection: Connection, pgconn: PGconn, seconds: float) -> PGresult:
    """Wait for the answer of what was sent; the connection is idle again afterwards, whatever happens."""
    try:
        await _until(pgconn, seconds)
    except TimeoutError:
        await _stop(connection, pgconn)
        raise too_long(seconds) from None
    except asyncio.CancelledError:
        await asyncio.shield(_stop(connection, pgconn))
        raise
    result = pgconn.get_result()
    if result is None:
        raise driver.OperationalError("the server has sent no answer")
    while (more := pgconn.get_result()) is not None:
        if more.status == ExecStatus.FATAL_ERROR and result.status in _GOOD:
            # What is checked at the commit (deferred constraints) is refused after the rows have come.
            result = more
        else:
            more.clear()
    if result.status not in _GOOD:
        error = driver.error_from_result(result, encoding="utf-8")
        # libpq makes the result itself when the server is gone, so that there is no SQLSTATE.
        raise error if error.sqlstate else driver.OperationalError(str(error))
    return result


def too_long(seconds: float) -> ServiceUnavailable:
    """The answer to what PostgreSQL could not do in time."""
    return ServiceUnavailable("database", f"the query took longer than {seconds:g} seconds")


async def _until(pgconn: PGconn, seconds: float, *, anything: bool = False) -> None:
    """Send what waits to be sent, then wait until the whole answer is there, or just anything more of it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    descriptor = pgconn.socket

    def readable() -> None:
        if done.done():
            return
        try:
            pgconn.consume_input()
            if anything or not pgconn.is_busy():
                done.set_result(None)
        except driver.Error as error:
            done.set_exception(error)

    def writable() -> None:
        if done.done():
            return
        try:
            if not pgconn.flush():
                loop.remove_writer(descriptor)
        except driver.Error as error:
            done.set_exception(error)

    def late() -> None:
        if not done.done():
            done.set_exception(TimeoutError())

    timer = loop.call_later(seconds, late) if seconds > 0 else None
    loop.add_reader(descriptor, readable)
    if pgconn.flush():
        loop.add_writer(descriptor, writable)
    try:
        await done
    finally:
        if timer is not None:
            timer.cancel()
        loop.remove_reader(descriptor)
        loop.remove_writer(descriptor)


async def _stop(connection: Connection, pgconn: PGconn) -> None:
    """Cancel what runs and read its end, so that the connection can be used again; else it is closed."""
    try:
        await connection.cancel_safe(timeout=DRAIN_SECONDS)
        await _until(pgconn, DRAIN_SECONDS)
        while (result := pgconn.get_result()) is not None:
            result.clear()
    except (driver.Error, TimeoutError):
        await connection.close()
