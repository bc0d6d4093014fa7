"""Serve an aiohttp application until told to stop, finishing the requests in flight."""

import asyncio
import logging
import signal
from collections.abc import Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from cli.garbage import REQUESTS, sparing_what_stays
from domain.settings import ServerSettings

log = logging.getLogger("acta.http")

LONGEST_LINE = 65_536
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_on_signals() -> asyncio.Event:
    """An event that the stop signals of this process set. Needs a running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    return stop


async def serve(
    app: web.Application,
    settings: ServerSettings,
    stop: asyncio.Event,
    *,
    share_port: bool = False,
    ready: Callable[[int], None] = lambda port: None,
) -> None:
    """Listen until `stop` is set; then accept nothing new and give running requests SERVER_SHUTDOWN_TIMEOUT.

    With `share_port` other processes may listen on the same port (SO_REUSEPORT). `ready` is called with the
    port once connections are accepted. Raises OSError when the port can't be had.
    """
    logging.getLogger("aiohttp.server").addFilter(_of_ours)
    runner = web.AppRunner(
        app,
        handle_signals=False,
        access_log=None,
        shutdown_timeout=settings.shutdown_timeout / 1000,
        # Filters get long, and SEARCH is not known to every client.
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )
    await runner.setup()
    try:
        with sparing_what_stays(REQUESTS):
            site = web.TCPSite(runner, settings.host, settings.port, reuse_port=share_port or None)
            await site.start()
            ready(runner.addresses[0][1])
            await stop.wait()
    finally:
        await runner.cleanup()


def _of_ours(record: logging.LogRecord) -> bool:
    """Whether an error of the package is one: what clients send that can't be read is one line of info."""
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, (HttpProcessingError, web.RequestPayloadError)):
        return True
    log.info("a request can't be read: %s", " ".join(str(error).split())[:200])
    return False
