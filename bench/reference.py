"""Installs the reference CMS from its public package: a black box that is started and asked, never read."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

VERSION = "11.17.4"
NODE_MAJOR = "22"


class MissingToolError(Exception):
    """A program the benchmark needs isn't installed."""


def require(*programs: str) -> None:
    """Fail with one clear line when a program is missing."""
    packages = {"wrk": "wrk", "pgbench": "postgresql-contrib", "psql": "postgresql-client", "npm": "npm"}
    for program in programs:
        if shutil.which(program) is None:
            raise MissingToolError(f"{program} not found; on Debian: apt-get install {packages[program]}")


@dataclass(frozen=True)
class Reference:
    """An installed reference CMS."""

    node: Path
    program: Path

    @property
    def path(self) -> str:
        """PATH with the right Node first."""
        return f"{self.node.parent}{os.pathsep}{os.environ['PATH']}"


def install(work: Path) -> Reference:
    """Install Node and the reference below `work` unless they are there."""
    home = work / f"reference-{VERSION}"
    program = home / "node_modules" / "directus" / "cli.js"
    reference = Reference(install_node(work), program)
    complete = home / "complete"
    if complete.exists():
        return reference
    environment = {**os.environ, "PATH": reference.path, "npm_config_nodedir": str(_headers(work / "node"))}
    # Only isolated-vm must be built for this Node; other native modules come ready or are unused.
    npm(home, environment, "install", "--ignore-scripts", f"directus@{VERSION}")
    npm(home, environment, "rebuild", "isolated-vm")
    complete.touch()
    return reference


def install_node(work: Path) -> Path:
    """Install Node below `work` unless it is there; its program."""
    home = work / "node"
    program = home / "node_modules" / "node" / "bin" / "node"
    if not program.exists():
        require("npm")
        npm(home, dict(os.environ), "install", f"node@{NODE_MAJOR}")
    return program


def _headers(node_home: Path) -> Path:
    return next(node_home.glob("node_modules/**/include/node")).parent.parent


def npm(folder: Path, environment: dict[str, str], *arguments: str) -> None:
    """Run npm for a folder. Raises MissingToolError when it fails; the log in the folder says why."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "npm.log"
    with log.open("ab") as output:
        done = subprocess.run(
            ["npm", *arguments, "--prefix", str(folder), "--no-audit", "--no-fund"],
            env=environment,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise MissingToolError(f"npm {arguments[0]} failed, see {log}")
