"""One served database for each module, with a storage directory of its own."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.files import Files, files
from tests.support.server import Server, running_server


@pytest.fixture(scope="module")
def served_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"acta_files_{os.getpid()}_{request.module.__name__.rpartition('.')[2]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield make_conninfo(postgres_url, dbname=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="module")
def server(served_url: str, storage: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    extra = {"STORAGE_LOCAL_ROOT": str(storage), **getattr(request.module, "SETTINGS", {})}
    with running_server(served_url, "--no-followers", extra=extra) as running:
        yield running


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Files]:
    """The administrator."""
    async with files(server) as found:
        yield found
