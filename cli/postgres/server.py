"""Attach to the embedded PostgreSQL of a data directory, or start it; stop it when its last user leaves.

Two locks in the directory order everything: `start.lock` (exclusive, short) is held while somebody looks,
starts or stops; `users.lock` (shared) is held by every process that uses the server. Locks end with their
process, so a `kill -9` leaves nothing to clean up: the server lives on, the next user attaches to it and the
last one stops it.
"""

import fcntl
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from cli.postgres import process
from cli.postgres.locks import locked, open_lock
from cli.postgres.place import Place, Say, locate

SUPERUSER = "postgres"
DATABASE = "acta"
# A value in postgresql.conf can be changed by the user; these are what Acta relies on.
REQUIRED = ("listen_addresses=127.0.0.1", "wal_level=logical")
INITIAL = (
    "timezone=UTC",
    "log_timezone=UTC",
    "max_connections=200",
    "shared_buffers=256MB",
    "random_page_cost=1.1",
    "jit=off",
    # A follower that never comes back must not fill the disk with write-ahead log.
    "max_slot_wal_keep_size=4GB",
)
PORT_ATTEMPTS = 10
REPORT_SECONDS = 10.0
# Longer than this without even "the database system is starting up" is not a recovery.
SILENT_SECONDS = 60.0


class PostgresError(Exception):
    """The embedded PostgreSQL could not be created, started or reached; the text is one line."""


class EmbeddedServer:
    """One process's hold on the embedded server. Made by `running`."""

    def __init__(self, place: Place, say: Say, options: Sequence[str], *, die_with_parent: bool) -> None:
        self.place = place
        self._say = say
        self._options = (*REQUIRED, *options)
        self._die_with_parent = die_with_parent
        self._child: subprocess.Popen[bytes] | None = None
        self._postmaster: psutil.Process | None = None
        self._port = self._saved_port()
        self._users = open_lock(place.root / "users.lock")

    def url(self, database: str = DATABASE) -> str:
        """A connection URL through the Unix socket."""
        return f"postgresql://{SUPERUSER}@/{quote(database)}?host={quote(str(self.place.sockets))}&port={self._port}"

    def tcp_url(self, database: str = DATABASE) -> str:
        """A connection URL with host and password, for programs that know no Unix sockets."""
        password = quote((self.place.root / "password").read_text())
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{self._port}/{quote(database)}"

    def answers(self) -> bool:
        """Whether the server accepts connections now."""
        return self._refusal() is None

    def alive(self) -> bool:
        """Whether the server's process still runs; one we can't see (another container) counts as alive."""
        return self._postmaster is None or not process.ended(self._postmaster)

    def acquire(self) -> None:
        """Become a user of the server, which accepts connections when this returns. Raises PostgresError."""
        with self._looking():
            fcntl.flock(self._users, fcntl.LOCK_SH)
        self.ensure()

    def ensure(self) -> None:
        """Start the server again if it has died. Raises PostgresError."""
        with self._looking():
            if not (self.place.data / "PG_VERSION").exists():
                self._create()
            if not self.answers() and not self._attached():
                self._start()
            self._postmaster = process.find_postmaster(self.place.data)
            self._create_database()

    def release(self) -> None:
        """Stop being a user of the server; the last user stops it."""
        with self._looking():
            fcntl.flock(self._users, fcntl.LOCK_UN)
            with suppress(BlockingIOError):
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                postmaster = process.find_postmaster(self.place.data)
                if postmaster and process.is_ours(postmaster, self.place):
                    process.stop(postmaster)
        self._users.close()
        self._forget_child()

    @contextmanager
    def _looking(self) -> Iterator[None]:
        with locked(self.place.root / "start.lock"):
            yield

    def _saved_port(self) -> int:
        try:
            return int((self.place.root / "port").read_text())
        except (FileNotFoundError, ValueError):
            return _free_port()

    def _refusal(self) -> psycopg.OperationalError | None:
        try:
            with psycopg.connect(self.url(SUPERUSER), connect_timeout=5) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            return error
        return None

    def _create(self) -> None:
        """Make the data directory, under another name until it is complete."""
        place = self.place
        unfinished, password = place.root / "data.unfinished", place.root / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        password.write_text(secrets.token_urlsafe(24))
        place.give(password, 0o600)
        done = process.run(
            place,
            "initdb",
            f"--pgdata={unfinished}",
            f"--username={SUPERUSER}",
            f"--pwfile={password}",
            "--auth-local=trust",  # the socket's directory lets nobody else in
            "--auth-host=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            *(part for setting in INITIAL for part in ("-c", setting)),
        )
        if done.returncode:
            raise PostgresError(f"initdb failed: {_last_line(done.stderr)}")
        unfinished.rename(place.data)

    def _attached(self) -> bool:
        """Wait for a server that runs but doesn't answer yet; False when there is none (any more)."""
        postmaster = process.find_postmaster(self.place.data)
        if postmaster is None:
            return False
        self._port = process.port_of(postmaster) or self._port
        return self._wait(postmaster)

    def _start(self) -> None:
        process.end_orphans(self.place.data)
        for attempt in range(PORT_ATTEMPTS):
            if attempt:
                self._port = _free_port()
            self._clear_leftovers()
            self._forget_child()
            self._child = process.start(
                self.place, self._port, self._options, die_with_parent=self._die_with_parent
            )
            if self._wait(psutil.Process(self._child.pid)):
                (self.place.root / "port").write_text(str(self._port))
                return
            self._child.wait()
            reason = self._failure()
            if "could not create any TCP/IP sockets" not in reason:
                break
        raise PostgresError(f"PostgreSQL did not start: {reason} (see {self.place.log})")

    def _forget_child(self) -> None:
        """Reap the server we started, or let it live on for others without Popen's warning."""
        if self._child and self._child.poll() is None:
            self._child.returncode = 0

    def _clear_leftovers(self) -> None:
        """Remove the files of a dead server that would stop a new one.

        No server runs here (checked under the lock), but PostgreSQL believes in a pid file whose number some
        other process has by now, and gives up on an empty one.
        """
        (self.place.data / "postmaster.pid").unlink(missing_ok=True)
        for leftover in self.place.sockets.glob(".s.PGSQL.*"):
            leftover.unlink(missing_ok=True)

    def _wait(self, postmaster: psutil.Process) -> bool:
        """Wait until the server answers (True) or ends (False), as long as a crash recovery takes."""
        started = reported = spoke = time.monotonic()
        while refusal := self._refusal():
            if process.ended(postmaster):
                return False
            now = time.monotonic()
            if "the database system is" in str(refusal):
                spoke = now
            if now - spoke > SILENT_SECONDS:
                reason = _last_line(str(refusal))
                raise PostgresError(f"PostgreSQL (process {postmaster.pid}) doesn't answer: {reason}")
            if now - reported > REPORT_SECONDS:
                reported = now
                self._say(f"PostgreSQL is still starting after {now - started:.0f} s (recovery); waiting")
            time.sleep(process.POLL_SECONDS)
        return True

    def _failure(self) -> str:
        lines = self.place.log.read_text(errors="replace").splitlines()
        fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
        return (fatal or lines or ["no message"])[-1]

    def _create_database(self) -> None:
        with psycopg.connect(self.url(SUPERUSER), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if not found:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


@contextmanager
def running(
    data_dir: Path, *, say: Say, options: Sequence[str] = (), die_with_parent: bool = False
) -> Iterator[EmbeddedServer]:
    """Use the embedded server of `data_dir` (ACTA_DATA_DIR), created and started when needed.

    `options` are `name=value` settings for a server that has to be started; `say` hears the rare sentences
    meant for a person. Raises PostgresError or PlaceError.
    """
    server = EmbeddedServer(locate(data_dir, say), say, options, die_with_parent=die_with_parent)
    try:
        server.acquire()
        yield server
    finally:
        server.release()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"
