"""Starts, watches and stops the two servers, one API process each, as alike as their settings allow."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.client import ADMIN_TOKEN, call
from bench.reference import Reference

_TREE = Path(__file__).parents[1]
_READY_WITHIN = 120.0
_ADMIN = {
    "ADMIN_EMAIL": "admin@example.com",
    "ADMIN_PASSWORD": "bench-password",
    "ADMIN_TOKEN": ADMIN_TOKEN,
    "SECRET": "bench-secret-bench-secret-bench-secret",
    "LOG_LEVEL": "error",
    "TZ": "UTC",
    "PGTZ": "UTC",
    "QUERY_LIMIT_DEFAULT": "100",
    "MAX_PAYLOAD_SIZE": "10mb",
}


class ServerError(Exception):
    """A server did not start or died."""


@dataclass
class Server:
    """One side's server; without a command it is somebody else's and is only asked.

    It is there when it answers a GET of `first`.
    """

    side: str
    url: str
    command: list[str] = field(default_factory=list)
    prepare: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = Path()
    first: str = "/items/articles/1"
    _process: subprocess.Popen[bytes] | None = None

    @property
    def ours(self) -> bool:
        """Whether this run starts and stops it."""
        return bool(self.command)

    def start(self) -> float:
        """Start it and give the seconds until it answered its first request for an item."""
        if not self.ours:
            return 0.0
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{self.side}.log").open("ab") as log:
            if self.prepare:
                self._run_once(self.prepare, log.fileno())
                self.prepare = []
            began = time.perf_counter()
            self._process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait(began)
        return time.perf_counter() - began

    def stop(self) -> None:
        """Stop what was started."""
        if self._process is None:
            return
        # Its helpers are in its process group; the group is gone when it died by itself.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def memory(self) -> float:
        """Resident megabytes of the process and its children."""
        if self._process is None:
            return 0.0
        process = psutil.Process(self._process.pid)
        family: list[psutil.Process] = [process, *process.children(recursive=True)]
        return sum(float(member.memory_info().rss) for member in family) / 2**20

    def _run_once(self, command: list[str], log: int) -> None:
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder, stdout=log, stderr=log, check=False
        )
        if done.returncode:
            raise ServerError(f"{self.side} could not be prepared, see {self.folder / self.side}.log")

    def _wait(self, began: float) -> None:
        while time.perf_counter() - began < _READY_WITHIN:
            if self._process is not None and self._process.poll() is not None:
                break
            try:
                if call(f"{self.url}{self.first}").ok:
                    return
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.02)
        self.stop()
        raise ServerError(f"{self.side} did not start, see {self.folder / self.side}.log")


def reference_server(reference: Reference, database: str, work: Path) -> Server:
    """The reference CMS: no cache, no limiter, no telemetry."""
    port = free_port()
    environment = {
        **os.environ,
        **_ADMIN,
        "PATH": reference.path,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "DB_CLIENT": "pg",
        "DB_CONNECTION_STRING": database,
        "CACHE_ENABLED": "false",
        "RATE_LIMITER_ENABLED": "false",
        "PRESSURE_LIMITER_ENABLED": "false",
        "TELEMETRY": "false",
    }
    start = [str(reference.node), str(reference.program)]
    return Server(
        "reference",
        f"http://127.0.0.1:{port}",
        [*start, "start"],
        [*start, "bootstrap"],
        environment,
        work / "run-reference",
    )


def acta_server(database: str, work: Path) -> Server:
    """Acta as it stands in this tree."""
    port = free_port()
    environment = {**os.environ, **_ADMIN, "DATABASE_URL": database, "PYTHONPATH": str(_TREE)}
    acta = [sys.executable, "-m", "cli.main"]
    command = [*acta, "serve", "--host", "127.0.0.1", "--port", str(port)]
    adopt = [*acta, "adopt"]
    return Server("acta", f"http://127.0.0.1:{port}", command, adopt, environment, work / "run-acta")


def free_port() -> int:
    """A port of the loopback address that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
