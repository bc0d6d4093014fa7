"""Fixtures for all tests: one PostgreSQL for the session, one empty database for each test that asks.

The server is an embedded one in a temporary folder (durability off), or the one of ACTA_TEST_DATABASE_URL:
the URL of a database whose user may create databases. The embedded one ends with pytest, even with a killed
one.
"""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from cli.postgres.place import installed_programs
from cli.postgres.server import SUPERUSER, running
from projections.database import Database
from projections.prepare import prepare

WITHOUT_DURABILITY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=4GB")
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_programs() -> Path:
    """The `bin` directory with pg_dump, psql, pgbench of the newest supported PostgreSQL."""
    return installed_programs()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of an administrative database of the session's server; use it only to create and drop others."""
    if url := os.environ.get("ACTA_TEST_DATABASE_URL"):
        yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="acta-tests-"))
    try:
        # As root the server runs as another user, who has to pass through.
        folder.chmod(0o711)
        with running(folder, say=print, options=WITHOUT_DURABILITY, die_with_parent=True) as server:
            yield server.url(SUPERUSER)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def _postgres_admin(postgres_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def database_url(postgres_url: str, _postgres_admin: psycopg.Connection) -> Iterator[str]:
    """URL of a new, empty database that is dropped, with all connections to it, after the test."""
    name = f"acta_test_{os.getpid()}_{next(_numbers)}"
    identifier = sql.Identifier(name)
    _postgres_admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(identifier))
    try:
        yield urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    finally:
        _postgres_admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


@pytest.fixture(scope="session")
def _prepared(postgres_url: str) -> Iterator[str]:
    """A prepared database to copy, since preparing takes longer than most tests here."""
    name = f"acta_prepared_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            asyncio.run(_prepare(make_conninfo(postgres_url, dbname=name)))
            yield name
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def _prepare(url: str) -> None:
    async with await Database.open(url) as opened:
        await prepare(opened)


@pytest.fixture
def prepared_url(postgres_url: str, _prepared: str) -> Iterator[str]:
    """The URL of a copy of the prepared database."""
    name = f"acta_copy_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(_prepared)))
        try:
            yield make_conninfo(postgres_url, dbname=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
