"""What `acta serve` runs: the API (here or in several processes), the followers, a watch on PostgreSQL.

The parts run until a signal. A part that ends by itself could not start, and takes the others with it.
"""

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from cli.console import EXIT_FAILURE, say
from cli.postgres.server import EmbeddedServer, PostgresError
from cli.serving.children import Child
from cli.serving.http import serve, stop_on_signals
from cli.settings import child_environment
from domain.settings import ServerSettings, Settings

FOLLOWER_PATIENCE_SECONDS = 30.0
WATCH_SECONDS = 1.0
POLL_SECONDS = 0.05


async def run(settings: Settings, embedded: EmbeddedServer | None, *, workers: int, followers: bool) -> int:
    """Run all parts until a signal; returns 0, or the exit code of a part that could not start."""
    stop = stop_on_signals()
    parts = _here(settings, stop) if workers == 1 else _in_processes(settings, workers, stop)
    if followers:
        child = Child("the follower process", "cli.main", child_environment(settings), ["worker"])
        parts.append(child.keep_running(stop, FOLLOWER_PATIENCE_SECONDS))
    if embedded:
        parts.append(_watch(embedded, stop))
    codes = await asyncio.gather(*(_ending_all(part, stop) for part in parts))
    return max(codes)


Part = Coroutine[Any, Any, int]


async def _ending_all(part: Part, stop: asyncio.Event) -> int:
    try:
        return await part
    finally:
        stop.set()


def _here(settings: Settings, stop: asyncio.Event) -> list[Part]:
    async def api() -> int:
        from api.app import create_app

        try:
            await serve(
                create_app(settings),
                settings.server,
                stop,
                ready=lambda port: _announce(settings.server, port),
            )
        except OSError as error:
            return _not_listening(settings.server, error)
        return 0

    return [api()]


def _in_processes(settings: Settings, workers: int, stop: asyncio.Event) -> list[Part]:
    try:
        _require_free_port(settings.server)
    except OSError as error:
        code = _not_listening(settings.server, error)
        return [_failed(code)]
    environment = child_environment(settings)
    patience = settings.server.shutdown_timeout / 1000
    children = [
        Child(f"API process {number}", "cli.serving.api_process", environment)
        for number in range(1, workers + 1)
    ]
    return [
        _announce_when_listening(settings.server, stop),
        *(child.keep_running(stop, patience) for child in children),
    ]


async def _failed(code: int) -> int:
    return code


def _require_free_port(server: ServerSettings) -> None:
    # With SO_REUSEPORT the API processes would silently share the port with another Acta.
    family, kind, protocol, _, address = socket.getaddrinfo(
        server.host, server.port, type=socket.SOCK_STREAM
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def _not_listening(server: ServerSettings, error: OSError) -> int:
    say(f"can't listen on {server.host}:{server.port}: {error.strerror or error}")
    return EXIT_FAILURE


async def _announce_when_listening(server: ServerSettings, stop: asyncio.Event) -> int:
    while not stop.is_set():
        with suppress(OSError):
            _, writer = await asyncio.open_connection(server.host, server.port)
            writer.close()
            _announce(server, server.port)
            await stop.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), POLL_SECONDS)
    return 0


def _announce(server: ServerSettings, port: int) -> None:
    host = f"[{server.host}]" if ":" in server.host else server.host
    say(f"listening on http://{host}:{port}")


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
