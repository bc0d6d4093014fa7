"""What `acta serve` runs: the API (here or in several processes), the followers, a watch on PostgreSQL.

The parts run until a signal. A part that ends by itself could not start, and takes the others with it.
"""

import asyncio
import os
import socket
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cli.console import EXIT_FAILURE, say
from cli.logs import configure
from cli.postgres.server import EmbeddedServer, PostgresError
from cli.serving.boot import boot
from cli.serving.children import Child
from cli.serving.demo import DemoError, make_demo
from cli.serving.http import serve, stop_on_signals
from cli.settings import child_environment
from domain.settings import ServerSettings, Settings

FOLLOWER_PATIENCE_SECONDS = 30.0
WATCH_SECONDS = 1.0
POLL_SECONDS = 0.05

Part = Coroutine[Any, Any, int]


@dataclass(frozen=True)
class Plan:
    """What to run."""

    workers: int = 1
    followers: bool = True
    demo: bool = False


async def run(settings: Settings, embedded: EmbeddedServer | None, plan: Plan) -> int:
    """Run all parts until a signal; returns 0, or the exit code of a part that could not start.

    Raises ServiceUnavailable when the database can't be prepared.
    """
    configure(settings.log)
    await boot(settings)
    stop = stop_on_signals()
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    parts = [
        _api_here(settings, stop, listening)
        if plan.workers == 1
        else _api_processes(settings, plan.workers, stop, listening)
    ]
    if plan.followers:
        child = Child("the follower process", "cli.main", child_environment(settings), ["worker"])
        parts.append(child.keep_running(stop, FOLLOWER_PATIENCE_SECONDS))
    if embedded:
        parts.append(_watch(embedded, stop))
    parts.append(_greet(settings, stop, listening, demo=plan.demo))
    return max(await asyncio.gather(*(_ending_all(part, stop) for part in parts)))


async def _ending_all(part: Part, stop: asyncio.Event) -> int:
    try:
        return await part
    finally:
        stop.set()


async def _api_here(settings: Settings, stop: asyncio.Event, listening: asyncio.Future[int]) -> int:
    from api.app import create_app
    from services.extensions.registering import ExtensionError

    try:
        await serve(create_app(settings), settings.server, stop, ready=listening.set_result)
    except ExtensionError as error:
        say(str(error))
        return EXIT_FAILURE
    except OSError as error:
        return _not_listening(settings.server, error)
    return 0


async def _api_processes(
    settings: Settings, workers: int, stop: asyncio.Event, listening: asyncio.Future[int]
) -> int:
    try:
        _require_free_port(settings.server)
    except OSError as error:
        return _not_listening(settings.server, error)
    environment = child_environment(settings)
    patience = settings.server.shutdown_timeout / 1000
    waiting = asyncio.create_task(_wait_for_listener(settings.server, listening))
    try:
        parts = (
            Child(f"API process {number}", "cli.serving.api_process", environment).keep_running(
                stop, patience
            )
            for number in range(1, workers + 1)
        )
        return max(await asyncio.gather(*(_ending_all(part, stop) for part in parts)))
    finally:
        waiting.cancel()


def _require_free_port(server: ServerSettings) -> None:
    # With SO_REUSEPORT the API processes would silently share the port with another Acta.
    if server.port == 0:
        raise OSError("several processes need a port with a number")
    family, kind, protocol, _, address = socket.getaddrinfo(
        server.host, server.port, type=socket.SOCK_STREAM
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def _not_listening(server: ServerSettings, error: OSError) -> int:
    # asyncio words its errors itself; the number is the system's own.
    reason = os.strerror(error.errno) if error.errno else error
    say(f"can't listen on {server.host}:{server.port}: {reason}")
    return EXIT_FAILURE


async def _wait_for_listener(server: ServerSettings, listening: asyncio.Future[int]) -> None:
    while not listening.done():
        with suppress(OSError):
            _, writer = await asyncio.open_connection(_near(server.host), server.port)
            writer.close()
            listening.set_result(server.port)
        await asyncio.sleep(POLL_SECONDS)


async def _greet(
    settings: Settings, stop: asyncio.Event, listening: asyncio.Future[int], *, demo: bool
) -> int:
    """Once connections are accepted, say where, and with `demo` make the content and tell the token."""
    stopped = asyncio.create_task(stop.wait())
    events: set[asyncio.Future[Any]] = {stopped, listening}
    await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
    if listening.done():
        url = f"http://{_bracketed(_near(settings.server.host))}:{listening.result()}"
        say(f"listening on {url}")
        token = settings.auth.admin_token
        if demo and token:
            try:
                await make_demo(url, token.get_secret_value())
                say(f"the administrator's token is {token.get_secret_value()}")
            except (DemoError, OSError) as error:
                say(f"no demo content: {error}")
    await stopped
    return 0


def _near(host: str) -> str:
    """The address by which this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _watch(embedded: EmbeddedServer, stop: asyncio.Event) -> int:
    """Start the embedded PostgreSQL again when it dies under a running Acta."""
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), WATCH_SECONDS)
        if stop.is_set() or embedded.alive():
            continue
        say("PostgreSQL has died; starting it again")
        try:
            await asyncio.to_thread(embedded.ensure)
        except PostgresError as error:
            say(str(error))
    return 0
