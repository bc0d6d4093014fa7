"""A served database with two extensions: the example of the documentation, and one that misbehaves."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.http import Client, client
from tests.support.server import Server, running_server

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "newsroom"
SCHEMA = """
create table articles (
    id serial primary key, title text, slug text, status text, embargo timestamptz,
    parent int references articles
);
create table news_log (id serial primary key, text text);
create table bad (id serial primary key, title text, num int);
create table hints (id serial primary key, data jsonb);
create table talks (id serial primary key, text text);
create table looks (
    id serial primary key, title text, secret text, shelf text, made date default '2026-01-02',
    parent int references looks
);
create table echoes (id serial primary key, text text unique, data jsonb);
"""


def package(folder: Path, name: str, code: str, points: str) -> None:
    """Lay out a package as pip would have installed it."""
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the example and the one that misbehaves are installed."""
    folder = tmp_path_factory.mktemp("packages")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    source = tmp_path_factory.mktemp("source") / "newsroom"
    source.mkdir()
    for file in ("pyproject.toml", "newsroom.py"):
        (source / file).write_bytes((EXAMPLE / file).read_bytes())
    subprocess.run([*install, "--target", str(folder), str(source)], check=True, timeout=100)
    here = Path(__file__).parent
    package(folder, "rude", (here / "rude.py.txt").read_text(), (here / "rude.points.txt").read_text())
    for name in ("reads", "doors"):
        points = f"[acta.hooks]\n{name} = {name}:hooks\n"
        package(folder, name, (here / f"{name}.py.txt").read_text(), points)
    return folder


@pytest.fixture(scope="session")
def extended_url(postgres_url: str) -> Iterator[str]:
    name = f"acta_extensions_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        url = make_conninfo(postgres_url, dbname=name)
        with psycopg.connect(url) as own:
            own.execute(SCHEMA)
        try:
            yield url
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server writes about itself."""
    return tmp_path_factory.mktemp("log") / "server.log"


@pytest.fixture(scope="session")
def settings(packages: Path) -> dict[str, str]:
    """The settings of the server."""
    return {
        "PYTHONPATH": str(packages),
        "EXTENSIONS_HOOK_TIMEOUT": "2000",
        "WEBSOCKETS_ENABLED": "true",
    }


@pytest.fixture(scope="session")
def server(extended_url: str, settings: dict[str, str]) -> Iterator[Server]:
    with running_server(extended_url, extra=settings) as running:
        yield running


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Client]:
    """The administrator."""
    async with client(server) as found:
        yield found
