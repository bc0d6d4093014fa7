"""Where the embedded PostgreSQL goes and as whom it runs, with no side effect on other directories.

As root the server must be another user; as an ordinary user it is that user. Each test states both.
"""

import os
import pwd
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from cli.postgres import place, process
from cli.postgres.place import PlaceError, installed_programs, locate
from cli.postgres.server import running

ROOT = os.geteuid() == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user of the machine can reach."""
    with tempfile.TemporaryDirectory(prefix="acta-place-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def closed(folder: Path) -> Path:
    """A folder that only we can enter, like a home."""
    path = folder / "closed"
    path.mkdir(mode=0o700)
    return path


def facts(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mode, status.st_uid, status.st_gid


def silent(text: str) -> None:
    raise AssertionError(text)


def test_the_server_is_never_root_and_nothing_else_changes(folder: Path) -> None:
    watched = [*folder.parents, folder, folder.parent]
    before, users = [facts(path) for path in watched], pwd.getpwall()
    with running(folder / "home", say=silent) as server:
        postmaster = process.find_postmaster(server.place.data)
        assert postmaster is not None
        assert postmaster.uids().real == (server.place.owner.uid if server.place.owner else os.geteuid())
        assert postmaster.uids().real != 0
    assert [facts(path) for path in watched] == before
    assert pwd.getpwall() == users


def test_a_closed_directory_is_left_for_one_that_works(
    closed: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "FALLBACK", folder)
    heard: list[str] = []
    with running(closed / "home", say=heard.append) as server:
        psycopg.connect(server.url()).close()
        assert server.place.root.is_relative_to(folder)
        assert server.place.root.is_relative_to(closed) is not ROOT
    assert len(heard) == (1 if ROOT else 0)
    assert all(str(server.place.root) in sentence for sentence in heard)
    assert facts(closed)[0] & 0o777 == 0o700
    again = locate(closed / "home", heard.append)
    assert again.root == server.place.root


def test_closed_programs_are_copied_next_to_the_data(
    closed: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = installed_programs().parent.parent
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.parent / name, closed / name, symlinks=True, ignore=_unused)
    programs = closed / package.name / place.VERSION_FOLDER / "bin"
    monkeypatch.setattr(place, "installed_programs", lambda: programs)
    with running(folder / "home", say=silent) as server:
        psycopg.connect(server.url()).close()
        assert server.place.programs.is_relative_to(folder / "home") is ROOT
        assert locate(folder / "home", silent).programs == server.place.programs


def _unused(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in ("pginstall", "include")]


def test_an_ordinary_user_runs_it_as_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = locate(folder / "reachable", silent).programs
    monkeypatch.setattr(place, "installed_programs", lambda: programs)
    home = folder / "home"
    home.mkdir(mode=0o777)
    home.chmod(0o777)

    def start_and_look() -> None:
        with running(home, say=silent) as server:
            assert server.place.owner is None
            postmaster = process.find_postmaster(server.place.data)
            assert postmaster is not None
            assert postmaster.uids().real == os.geteuid() != 0

    assert ends_well_as_ordinary_user(start_and_look)


def ends_well_as_ordinary_user(action: Callable[[], None]) -> bool:
    """Run in a child process, which gives up being root if it is."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if ROOT:
                nobody = pwd.getpwnam("nobody")
                os.setgroups([])
                os.setgid(nobody.pw_gid)
                os.setuid(nobody.pw_uid)
            action()
            code = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_data_of_another_user_is_refused_or_served_by_its_owner(folder: Path) -> None:
    data = folder / "home" / "postgres" / "data"
    data.mkdir(parents=True)
    if ROOT:
        daemon = pwd.getpwnam("daemon")
        os.chown(data, daemon.pw_uid, daemon.pw_gid)
        found = locate(folder / "home", silent)
        assert found.owner is not None
        assert found.owner.name == "daemon"
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "geteuid", lambda: data.stat().st_uid + 1)
            with pytest.raises(PlaceError, match="belongs to another user"):
                locate(folder / "home", silent)
