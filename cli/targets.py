"""Databases that commands write to beside the project's own, and the progress of that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cli.console import fail

Progress = Callable[[int, int, str], None]


async def ensure_database(url: str) -> None:
    """Make the database of a URL when the server has none of the name."""
    import psycopg
    from psycopg import AsyncConnection, sql
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    try:
        async with await AsyncConnection.connect(url):
            return
    except psycopg.OperationalError as error:
        if "does not exist" not in str(error):
            fail(f"the database of --into can't be reached: {' '.join(str(error).split())}")
    name = str(conninfo_to_dict(url)["dbname"])
    async with await AsyncConnection.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as admin:
        statement = sql.SQL("create database {} template template0").format(sql.Identifier(name))
        await admin.execute(statement)


def masked(url: str) -> str:
    """A URL without its password."""
    return re.sub(r"(://[^:/@]*:)[^@]*@", r"\1...@", url)


@contextmanager
def bar(what: str) -> Iterator[Progress]:
    """A progress bar on stderr, where that is a terminal; called with done, total, and at what."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what)

        def update(done: int, total: int, about: str) -> None:
            progress.update(task, completed=done, total=total, description=f"{what} {about}".strip())

        yield update
