"""Programs for Node.js in tests: packages of npm in a cache folder, and scripts that use them.

The runtime is one of the packages, and a package of Python's brings `npm`, so that tests do not depend on
what a machine happens to have. What can't be installed fails the test: nothing is skipped.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NODE = "node@22.23.3"
TYPESCRIPT = ("typescript@7.0.2", "@types/node@22.20.5")
_STRICTLY = (
    "--strict", "--target", "es2022", "--module", "nodenext", "--types", "node", "--skipLibCheck"
)  # fmt: skip
INSTALL_SECONDS = 300
PROGRAMS = Path(sys.executable).parent
"""Where the packages of the virtual environment keep their programs."""
RUN_SECONDS = 100


@dataclass(frozen=True)
class Node:
    """A folder with installed packages; scripts run as if they stood in it."""

    folder: Path

    def run(
        self, script: Path, environment: Mapping[str, str] | None = None, *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a module (`.mjs`) with the packages at hand; texts of both streams kept."""
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            copy = Path(place) / script.name
            shutil.copy(script, copy)
            return self._run(
                str(self.folder / "node_modules/.bin/node"), str(copy), *arguments, **(environment or {})
            )

    def run_typed(
        self, script: Path, environment: Mapping[str, str] | None = None, generator: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Check a TypeScript module (`.mts`) strictly, and run what it compiles to; a type error fails.

        A generator is a module (`.mjs`) that is run first, and writes what the script imports beside it.
        Needs the packages of `TYPESCRIPT`.
        """
        given, program = environment or {}, str(self.folder / "node_modules/.bin/node")
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            copy = Path(place) / script.name
            shutil.copy(script, copy)
            steps = [
                (str(self.folder / "node_modules/.bin/tsc"), *_STRICTLY, str(copy)),
                (program, str(copy.with_suffix(".mjs"))),
            ]
            if generator is not None:
                steps.insert(0, (program, shutil.copy(generator, place)))
            for step in steps:
                done = self._run(*step, **given)
                if done.returncode:
                    break
            return done

    def _run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'node_modules/.bin'}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **environment, "PATH": path},
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
        )


def node(*packages: str) -> Node:
    """A folder with these packages (``name@version``), installed unless they are there already.

    Raises AssertionError, with what npm says, when they can't be had.
    """
    wanted = sorted({NODE, *packages})
    folder = caching() / "node" / hashlib.sha256(" ".join(wanted).encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        # Others who need the same packages wait for the first.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            _install(folder, wanted)
            (folder / "complete").touch()
    return Node(folder)


def _install(folder: Path, packages: list[str]) -> None:
    shutil.rmtree(folder / "node_modules", ignore_errors=True)
    (folder / "package.json").write_text('{"private": true, "type": "module"}\n')
    done = subprocess.run(
        [str(PROGRAMS / "npm"), "install", "--no-audit", "--no-fund", "--loglevel=error", *packages],
        cwd=folder,
        env={**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
    )
    assert done.returncode == 0, f"npm install {' '.join(packages)} failed:\n{done.stdout}{done.stderr}"


def caching() -> Path:
    """The folder for what tests fetch and build once."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "acta-tests"
    return Path.home() / ".cache" / "acta-tests"
