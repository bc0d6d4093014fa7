"""Calling code that is not ours: it may raise, hang or answer rubbish, and costs only its own result."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Final
from uuid import UUID

from domain.errors import ActaError, ErrorGroup, ExtensionFailed, ServiceUnavailable


class TookTooLong(ServiceUnavailable):
    """Code of an extension did not come to an end."""

    def __init__(self, name: str) -> None:
        super().__init__(f"extension {name}", "It took too long")


MOST_THREADS: Final = 32
_DEEPEST: Final = 100
_threads = 0


async def call(
    name: str, log: logging.Logger, function: Callable[..., Any], *arguments: Any, seconds: float | None
) -> Any:
    """What a function of the extension ``name`` gives; a plain one runs in a thread of its own.

    Raises:
        ActaError, ErrorGroup: what it raises on purpose.
        ExtensionFailed: anything else it raises, which is logged with its trace.
        TookTooLong: after ``seconds``, which is logged.
    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            if iscoroutinefunction(function):
                return await function(*arguments)
            found = await _in_thread(name, function, arguments)
            return await found if isawaitable(found) else found
    except (ActaError, ErrorGroup, asyncio.CancelledError):
        raise
    # Whatever it raises, `sys.exit` and the like included, must not end this process.
    except (Exception, SystemExit) as error:
        if limit.expired():
            log.error("extension %s took longer than %g seconds", name, seconds)
            raise TookTooLong(name) from None
        log.exception("extension %s failed", name)
        raise ExtensionFailed(name) from error


async def _in_thread(name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    # Threads of our own: one that hangs may neither hold up others nor the end of the process.
    global _threads  # noqa: PLW0603 (all extensions share the limit)
    if _threads >= MOST_THREADS:
        raise ServiceUnavailable(f"extension {name}", f"{MOST_THREADS} calls of extensions hang")
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        global _threads  # noqa: PLW0603
        _threads -= 1
        if done.cancelled():
            return
        if error is None:
            done.set_result(value)
        else:
            done.set_exception(error)

    def run() -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            value = context.run(function, *arguments)
        except StopIteration as stopped:
            # A future can't carry this one.
            error = RuntimeError(f"StopIteration: {stopped}")
        except BaseException as raised:  # noqa: BLE001 (it is told to whoever waits)
            error = raised
        # At the end of the process nobody may be there any more.
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, error)

    _threads += 1
    threading.Thread(target=run, name=f"extension {name}", daemon=True).start()
    return await done


def plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON can hold it; moments and UUIDs become texts.

    Raises:
        TypeError: for anything else.
    """
    if depth > _DEEPEST:
        raise TypeError("the value is nested without end")
    if value is None or isinstance(value, bool | int | float | str | Decimal):
        return value
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise TypeError(f"{name!r} is no name of a member")
        return {name: plain(member, depth + 1) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(member, depth + 1) for member in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is no JSON")
