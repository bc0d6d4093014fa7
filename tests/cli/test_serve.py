"""`acta serve` as a user starts it: several processes, deaths, a taken port, an orderly end."""

import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cli.postgres import process
from tests.support.server import Server, acta, running_server

PATIENCE_SECONDS = 60.0


def eventually(look: Callable[[], bool]) -> None:
    """Wait until `look` gives True."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not look():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def api_processes(server: Server) -> list[psutil.Process]:
    children = psutil.Process(server.process.pid).children()
    alive = [child for child in children if not process.ended(child)]
    return [child for child in alive if "cli.serving.api_process" in child.cmdline()]


def test_several_processes_serve_one_port_and_a_dead_one_is_replaced(database_url: str) -> None:
    with running_server(database_url, "--workers", "2", "--no-followers") as server:
        first, second = api_processes(server)
        first.kill()
        eventually(lambda: len(api_processes(server)) == 2 and first not in api_processes(server))
        assert second in api_processes(server)
        server.wait_until_ready()
        assert server.stop() == 0


def test_a_signal_ends_it_with_exit_code_0_and_no_process_left(database_url: str) -> None:
    with running_server(database_url) as server:
        family = psutil.Process(server.process.pid).children(recursive=True)
        assert server.stop() == 0
        assert psutil.wait_procs(family, PATIENCE_SECONDS)[1] == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_taken_port_is_one_line_and_exit_code_1(database_url: str, workers: str) -> None:
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", 0))
        taker.listen()
        port = taker.getsockname()[1]
        done = acta(database_url, "serve", "--no-followers", "--port", str(port), "--workers", workers)
    assert done.returncode == 1
    complaint = f"acta: can't listen on 127.0.0.1:{port}: Address already in use"
    assert done.stderr.splitlines() == ["acta: administrator: admin@example.com", complaint]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data directory that every user of the machine can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="acta-serve-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def test_the_embedded_server_is_started_again_when_it_dies_and_ends_with_acta(folder: Path) -> None:
    data = folder / "postgres" / "data"
    with running_server("", "--no-followers", extra={"ACTA_DATA_DIR": str(folder)}) as server:
        first = process.find_postmaster(data)
        assert first is not None
        first.kill()
        eventually(lambda: process.find_postmaster(data) not in (None, first))
        server.wait_until_ready()
        assert server.stop() == 0
        eventually(lambda: process.find_postmaster(data) is None)
