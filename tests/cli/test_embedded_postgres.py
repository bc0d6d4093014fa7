"""The embedded PostgreSQL survives what happens to servers: kills, stale files, taken ports, other users."""

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from cli.postgres import process, server
from cli.postgres.place import locate
from cli.postgres.server import EmbeddedServer, running

HOLDER = """
import sys
from pathlib import Path
from cli.postgres.server import running

with running(Path(sys.argv[1]), say=lambda text: None) as server:
    print(server.url(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data directory that every user of the machine can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="acta-embedded-") as name:
        Path(name).chmod(0o711)
        yield Path(name) / "home"
        end_server(Path(name) / "home")


def end_server(folder: Path) -> None:
    postmaster = process.find_postmaster(folder / "postgres" / "data")
    if postmaster:
        process.stop(postmaster)


@contextmanager
def started(folder: Path) -> Iterator[EmbeddedServer]:
    with running(folder, say=lambda text: None) as embedded:
        yield embedded


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server until its standard input closes; it has started when this yields."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().startswith("postgresql://")
        yield holder


def postmaster_of(folder: Path) -> psutil.Process:
    found = process.find_postmaster(folder / "postgres" / "data")
    assert found is not None
    return found


def runs(folder: Path) -> bool:
    return process.find_postmaster(folder / "postgres" / "data") is not None


def value(embedded: EmbeddedServer, query: str) -> object:
    with psycopg.connect(embedded.url()) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def write_a_row(embedded: EmbeddedServer) -> None:
    with psycopg.connect(embedded.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")


def kill_server(folder: Path) -> None:
    postmaster = postmaster_of(folder)
    postmaster.kill()
    while not process.ended(postmaster):
        pass


def test_it_starts_with_what_acta_needs_and_stops_with_its_last_user(folder: Path) -> None:
    with started(folder) as embedded:
        assert value(embedded, "SHOW wal_level") == "logical"
        assert value(embedded, "SHOW fsync") == "on"
        assert value(embedded, "SHOW TimeZone") == "UTC"
        assert value(embedded, "SELECT current_database()") == "acta"
    assert not runs(folder)


def test_data_survives_a_restart(folder: Path) -> None:
    with started(folder) as embedded:
        write_a_row(embedded)
    with started(folder) as embedded:
        assert value(embedded, "SELECT answer FROM kept") == 42


def test_strangers_get_in_neither_by_socket_nor_by_port(folder: Path) -> None:
    with started(folder) as embedded:
        assert stat.S_IMODE(embedded.place.sockets.stat().st_mode) == 0o700
        port = process.port_of(postmaster_of(folder))
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="acta")
        password = (embedded.place.root / "password").read_text()
        psycopg.connect(
            host="127.0.0.1", port=port, user="postgres", dbname="acta", password=password
        ).close()


def test_it_lives_until_the_last_of_several_users_leaves(folder: Path) -> None:
    with another_process(folder):
        with started(folder):
            pass
        assert runs(folder)
    assert not runs(folder)


def test_after_a_kill_of_acta_the_next_one_attaches_and_stops_it(folder: Path) -> None:
    with another_process(folder) as holder:
        holder.kill()
    survivor = postmaster_of(folder).pid
    with started(folder):
        assert postmaster_of(folder).pid == survivor
    assert not runs(folder)


def test_a_killed_server_recovers_though_nobody_reaped_it(folder: Path) -> None:
    with started(folder) as embedded:
        write_a_row(embedded)
        kill_server(folder)
        assert not embedded.alive()
        embedded.ensure()
        assert embedded.alive()
        assert value(embedded, "SELECT answer FROM kept") == 42


def test_backends_of_a_killed_server_end_before_the_next_one_starts(folder: Path) -> None:
    with started(folder) as embedded, psycopg.connect(embedded.url(), autocommit=True) as connection:
        backend = psutil.Process(connection.info.backend_pid)
        sleeper = threading.Thread(target=_sleep, args=[connection])
        sleeper.start()
        kill_server(folder)
        embedded.ensure()
        assert process.ended(backend)
        sleeper.join()


def _sleep(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT pg_sleep(600)")


@pytest.mark.parametrize(
    "text", ["", "12", "{live}\n/elsewhere\n1\n5432\n", "1\n/x\n", "999999999\n", "\x00\xff"]
)
def test_a_stale_or_broken_pid_file_stops_nothing(folder: Path, text: str) -> None:
    with started(folder) as embedded:
        write_a_row(embedded)
        kill_server(folder)
        pid_file = embedded.place.data / "postmaster.pid"
        # The number of a live process that isn't PostgreSQL: this one's.
        pid_file.write_text(text.format(live=os.getpid()))
        embedded.ensure()
        assert value(embedded, "SELECT answer FROM kept") == 42


def test_a_live_server_with_a_truncated_pid_file_is_attached_to(folder: Path) -> None:
    with another_process(folder):
        (folder / "postgres" / "data" / "postmaster.pid").write_text("")
        (folder / "postgres" / "port").unlink()
        with started(folder) as embedded:
            assert value(embedded, "SELECT 1") == 1


def test_a_slow_recovery_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REPORT_SECONDS", 0.05)
    monkeypatch.setattr(server, "SILENT_SECONDS", 20.0)
    heard: list[str] = []
    with running(folder, say=heard.append, options=["max_wal_size=8GB", "checkpoint_timeout=1h"]) as embedded:
        with psycopg.connect(embedded.url(), autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE many AS SELECT i, md5(i::text) FROM generate_series(1, 600000) i"
            )
            connection.execute("CREATE INDEX ON many (md5)")
        kill_server(folder)
        embedded.ensure()
        assert value(embedded, "SELECT count(*) FROM many") == 600000
    assert any("still starting" in sentence for sentence in heard)


def test_a_creation_that_was_killed_is_begun_again(folder: Path) -> None:
    place = locate(folder, lambda text: None)
    (place.root / "data.unfinished").mkdir()
    (place.root / "data.unfinished" / "PG_VERSION").write_text("18")
    with started(folder) as embedded:
        assert value(embedded, "SELECT 1") == 1


def test_a_taken_port_is_replaced_by_a_free_one(folder: Path) -> None:
    with started(folder):
        port = process.port_of(postmaster_of(folder))
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", port))
        taker.listen()
        with started(folder) as embedded:
            assert process.port_of(postmaster_of(folder)) != port
            assert value(embedded, "SELECT 1") == 1


def test_a_start_that_fails_says_why_in_one_line(folder: Path) -> None:
    with started(folder) as embedded:
        place = embedded.place
    (place.data / "postgresql.auto.conf").write_text("shared_buffers = nonsense\n")
    with (
        pytest.raises(server.PostgresError, match=r"did not start: .*shared_buffers|configuration") as raised,
        started(folder),
    ):
        pass
    assert "\n" not in str(raised.value)


def test_a_deep_directory_has_its_socket_elsewhere(folder: Path) -> None:
    deep = folder.joinpath(*["a-very-long-name-of-a-directory"] * 5)
    try:
        with started(deep) as embedded:
            assert not embedded.place.sockets.is_relative_to(deep)
            assert value(embedded, "SELECT 1") == 1
    finally:
        embedded.place.sockets.rmdir()


def test_two_first_starts_at_once_make_one_server(folder: Path) -> None:
    holders = [another_process(folder) for _ in range(2)]
    threads = [threading.Thread(target=holder.__enter__) for holder in holders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs(folder)
    for holder in holders:
        holder.__exit__(None, None, None)
    assert not runs(folder)


def test_it_ends_with_a_killed_parent_when_asked(folder: Path) -> None:
    script = HOLDER.replace("text: None", "text: None, die_with_parent=True")
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        postmaster = postmaster_of(folder)
        holder.send_signal(signal.SIGKILL)
    psutil.wait_procs([postmaster], timeout=60)
    assert not runs(folder)
