"""A MinIO server for tests and its command-line client, built from source once and kept in a cache folder.

A package of Python's brings Go. What can't be built fails the test, nothing is skipped.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from minio import Minio

from cli.lifetime import ending_with_parent
from tests.support.node import PROGRAMS, caching
from tests.support.server import free_port

VERSIONS = {
    "minio": "v0.0.0-20260212201848-7aac2a2c5b7c",
    # The one that this server is built with, too.
    "mc": "v0.0.0-20250313080218-cf909e1063a9",
}
BUILD_SECONDS = 1500
START_SECONDS = 60
ASK_SECONDS = 60
USER, PASSWORD = "acta-tests", "a password of the tests"


@dataclass
class Bucket:
    """A bucket of a running server, which can be stopped and started again on the same port."""

    port: int
    folder: Path
    name: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> Minio:
        """The package's own client on the server."""
        return Minio(f"127.0.0.1:{self.port}", access_key=USER, secret_key=PASSWORD, secure=False)

    def settings(self, location: str) -> dict[str, str]:
        """The settings of a storage location in this bucket."""
        values = {
            "DRIVER": "s3",
            "ENDPOINT": f"http://127.0.0.1:{self.port}",
            "BUCKET": self.name,
            "KEY": USER,
            "SECRET": PASSWORD,
            "ROOT": "some/prefix",
            "CONNECTION_TIMEOUT": "5000",
        }
        return {f"STORAGE_{location.upper()}_{name}": value for name, value in values.items()}

    def start(self) -> None:
        """Start the server and wait until it answers."""
        address = f"127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [str(program("minio")), "server", "--quiet", "--address", address, str(self.folder)],
            env={**os.environ, "MINIO_ROOT_USER": USER, "MINIO_ROOT_PASSWORD": PASSWORD},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=ending_with_parent(),  # noqa: PLW1509 (no other thread yet)
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            assert self.process.poll() is None, "minio ended"
            assert time.monotonic() < deadline, "minio did not get ready in time"
            time.sleep(0.1)

    def stop(self) -> None:
        """Kill the server; what it has stored stays."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def ask(self, *command: str) -> bytes:
        """What `mc` prints; it knows the server as "tests"."""
        done = subprocess.run(
            [str(program("mc")), "--config-dir", f"{self.folder}-client", *command],
            env={**os.environ, "MC_HOST_tests": f"http://{USER}:{PASSWORD}@127.0.0.1:{self.port}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ASK_SECONDS,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def objects(self) -> set[str]:
        """The names of all objects, without the prefix."""
        found = self.client.list_objects(self.name, recursive=True)
        return {str(entry.object_name).removeprefix("some/prefix/") for entry in found}

    def _ready(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/minio/health/ready")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def program(name: str) -> Path:
    """A program of `VERSIONS`, built when it is not there yet: that takes minutes."""
    folder = caching() / name / VERSIONS[name]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        # Others who need it wait for the first.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / name).exists():
            _build(f"github.com/minio/{name}@{VERSIONS[name]}", folder)
    return folder / name


def _build(package: str, folder: Path) -> None:
    done = subprocess.run(
        [str(PROGRAMS / "go"), "install", package],
        env={**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, f"go install {package} failed:\n{done.stdout}{done.stderr}"


@contextmanager
def running_minio(folder: Path) -> Iterator[Bucket]:
    """A server with an empty bucket, ended with the block."""
    bucket = Bucket(free_port(), folder, "files")
    bucket.start()
    try:
        bucket.client.make_bucket(bucket.name)
        yield bucket
    finally:
        bucket.stop()
