"""Waiting that ends early when the process is told to stop."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress


async def sleep(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, or less when told to stop."""
    if seconds > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
