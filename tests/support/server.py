"""A really started `acta serve`, as a user starts it, on a free port of the loopback address."""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO

from cli.lifetime import ending_with_parent

ADMIN_TOKEN = "admintoken"
ADMIN_EMAIL = "admin@example.com"
ADMIN_PASSWORD = "d1r3ctu5"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
PORTS = (12_000, 32_000)


@dataclass
class Server:
    """One started server; `kill` leaves it no time to tidy up."""

    url: str
    port: int
    process: subprocess.Popen[bytes]

    def wait_until_ready(self) -> None:
        """Wait until it answers pong. Raises AssertionError when it ends or does not come up."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            code = self.process.poll()
            assert code is None, f"acta serve ended with exit code {code}"
            if self._pong():
                return
            time.sleep(0.05)
        raise AssertionError("acta serve did not get ready in time")

    def _pong(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/server/ping")
            return connection.getresponse().read() == b"pong"
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> int:
        """SIGTERM to the whole of it; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL to every process of it at once, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)


def free_port() -> int:
    """A TCP port that was free a moment ago.

    It is none that the system gives to clients, or to who asks for any port: such a one may be gone again
    before the server that it is meant for has it.
    """
    chance = random.SystemRandom()
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", chance.randrange(*PORTS)))
            return int(probe.getsockname()[1])


@cache
def uploads() -> Path:
    """A directory for the objects of all test servers; it goes with the tests."""
    folder = Path(tempfile.mkdtemp(prefix="acta-uploads-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def environment(database_url: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a test server: a known administrator, quiet, nothing from outside."""
    return {
        **{
            name: value
            for name, value in os.environ.items()
            if name in ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
        },
        "DATABASE_URL": database_url,
        "SECRET": "a secret of the tests, thirty-two bytes at least",
        "ADMIN_EMAIL": ADMIN_EMAIL,
        "ADMIN_PASSWORD": ADMIN_PASSWORD,
        "ADMIN_TOKEN": ADMIN_TOKEN,
        "LOG_LEVEL": "warn",
        # Tests wait for what followers do, beside whatever else the machine does.
        "ACTA_FOLLOWER_NICENESS": "0",
        "ACTA_FOLLOWER_SHARE": "1",
        "STORAGE_LOCAL_ROOT": str(uploads()),
        **(extra or {}),
    }


def acta(
    database_url: str, *arguments: str, extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one `acta` command to its end; texts of both streams kept."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        env=environment(database_url, extra),
        capture_output=True,
        text=True,
        timeout=300,
    )


def start(
    database_url: str,
    *arguments: str,
    port: int | None = None,
    extra: Mapping[str, str] | None = None,
    stderr: IO[bytes] | int | None = None,
) -> Server:
    """Start `acta serve` and wait until it is ready. It ends with the test process at the latest."""
    port = port or free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "serve", "--port", str(port), *arguments],
        env=environment(database_url, extra),
        stdin=subprocess.DEVNULL,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=ending_with_parent(),  # noqa: PLW1509 (no other thread yet)
    )
    server = Server(f"http://127.0.0.1:{port}", port, process)
    try:
        server.wait_until_ready()
    except AssertionError:
        if process.poll() is None:
            server.kill()
        raise
    return server


@contextmanager
def running_server(
    database_url: str, *arguments: str, extra: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """`start`, and an orderly stop at the end of the block."""
    server = start(database_url, *arguments, extra=extra)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
