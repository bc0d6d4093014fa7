"""The database a command works on: the one of DATABASE_URL, else the embedded one, started when needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from cli.console import fail, say
from cli.postgres.place import PlaceError
from cli.postgres.server import EmbeddedServer, PostgresError, running
from cli.settings import with_database
from domain.settings import Settings

CONNECT_SECONDS = 10
OLDEST_VERSION = 15


@contextmanager
def database(settings: Settings) -> Iterator[tuple[Settings, EmbeddedServer | None]]:
    """Settings whose DATABASE_URL answers, and the embedded server if that is behind it.

    Ends the command with one line and exit code 1 when there is no usable PostgreSQL.
    """
    if settings.database.url is not None:
        _require_answer(settings.database.url.get_secret_value())
        yield settings, None
        return
    try:
        hold = running(Path(settings.database.data_dir), say=say)
        server = hold.__enter__()
    except (PlaceError, PostgresError, OSError) as error:
        fail(f"the embedded PostgreSQL can't be used: {error}")
    try:
        yield with_database(settings, server.url()), server
    finally:
        hold.__exit__(None, None, None)


def _require_answer(url: str) -> None:
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
            version = connection.info.server_version // 10_000
    except psycopg.Error as error:
        reason = " ".join(str(error).split()) or "no answer"
        fail(f"the database of DATABASE_URL can't be reached: {reason}")
    if version < OLDEST_VERSION:
        fail(f"PostgreSQL {version} is too old: {OLDEST_VERSION} or later is needed")
