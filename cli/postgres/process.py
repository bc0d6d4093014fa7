"""The operating system's view of a PostgreSQL server: find it, start it, stop it.

A pid file is only a hint: it may be stale, truncated, or name a process that is something else by now. The
truth is the command line of a live process, zombies excluded, and the working directory of its children.
"""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from cli.lifetime import ending_with_parent
from cli.postgres.place import Owner, Place

POLL_SECONDS = 0.02
# An orphaned backend notices the death of its postmaster within a second; the rest is a loaded machine.
ORPHAN_SECONDS = 10.0
FAST_STOP_SECONDS = 60.0


def ended(process: psutil.Process) -> bool:
    """Whether a process is gone, a zombie nobody reaps counting as gone."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def find_postmaster(data: Path) -> psutil.Process | None:
    """The live server of a data directory, whatever its pid file says."""
    for process in psutil.process_iter():
        command = _command_line(process)
        if command and Path(command[0]).name == "postgres" and _option(command, "-D") == str(data):
            return process
    return None


def port_of(process: psutil.Process) -> int | None:
    """The port on the command line of a server that the supervisor started, else None."""
    port = _option(_command_line(process), "-p")
    return int(port) if port else None


def is_ours(process: psutil.Process, place: Place) -> bool:
    """Whether a supervisor started this server (and not a person with `pg_ctl`)."""
    return _option(_command_line(process), "-k") == str(place.sockets)


def end_orphans(data: Path) -> None:
    """Wait for the backends of a killed server, then kill them.

    They may still write to the data directory. PostgreSQL itself recognises them by the shared memory key in
    `postmaster.pid`, which may be unreadable, so the supervisor makes sure before it removes that file.
    """
    deadline = time.monotonic() + ORPHAN_SECONDS
    while orphans := [process for process in psutil.process_iter() if _works_in(process, data)]:
        if time.monotonic() > deadline:
            for process in orphans:
                process.kill()
        time.sleep(POLL_SECONDS)


def start(
    place: Place, port: int, options: Sequence[str], *, die_with_parent: bool
) -> subprocess.Popen[bytes]:
    """Start the server in a session of its own; its messages go to `place.log`.

    With `die_with_parent` the kernel shuts it down when the calling thread ends, however that happens.
    """
    command = [
        str(place.programs / "postgres"),
        "-D",
        str(place.data),
        "-k",
        str(place.sockets),
        "-p",
        str(port),
    ]
    with place.log.open("wb") as log:
        return subprocess.Popen(
            command + [part for option in options for part in ("-c", option)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=place.root,
            env=environment(),
            start_new_session=True,
            user=place.owner.uid if place.owner else None,
            group=place.owner.gid if place.owner else None,
            extra_groups=[] if place.owner else None,
            preexec_fn=ending_with_parent(signal.SIGQUIT) if die_with_parent else None,  # noqa: PLW1509  (one thread)
        )


def run(place: Place, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs as the user of the server and capture what it says."""
    owner: Owner | None = place.owner
    return subprocess.run(
        [str(place.programs / program), *arguments],
        cwd=place.root,
        env=environment(),
        user=owner.uid if owner else None,
        group=owner.gid if owner else None,
        extra_groups=[] if owner else None,
        capture_output=True,
        text=True,
        check=False,
    )


def stop(process: psutil.Process) -> None:
    """Shut a server down: fast first, immediately (crash recovery at the next start) after a minute."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            return
        deadline = time.monotonic() + FAST_STOP_SECONDS
        while time.monotonic() < deadline:
            if ended(process):
                return
            time.sleep(POLL_SECONDS)


def environment() -> dict[str, str]:
    """What PostgreSQL's programs see: none of the caller's PG* variables and no foreign locale."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return [] if process.status() == psutil.STATUS_ZOMBIE else process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


def _option(command: list[str], name: str) -> str | None:
    return command[command.index(name) + 1] if name in command[:-1] else None


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return (
            process.name().startswith("postgres")
            and process.status() != psutil.STATUS_ZOMBIE
            and process.cwd() == str(data)
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
