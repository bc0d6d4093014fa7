"""Letters of flows on their way: a letter and what is kept of the run that wrote it stand or fall as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg.types.json import Jsonb

from projections.database import Database
from projections.sql import load

SQL: Final = load("flows/letters")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A letter that is due; ``html`` names the variables that are HTML, ``age`` is in seconds."""

    id: int
    reader: str
    subject: str
    template: str
    variables: dict[str, Any]
    html: Sequence[str]
    attempts: int
    age: float


async def take(
    database: Database,
    reader: str,
    subject: str,
    template: str,
    variables: Mapping[str, object],
    html: Sequence[str],
) -> None:
    """Keep a letter until it is sent; inside a transaction, if that is committed."""
    values = {
        "reader": reader,
        "subject": subject,
        "template": template,
        "variables": Jsonb(dict(variables)),
        "html": list(html),
    }
    async with database.connection() as connection:
        await connection.execute(SQL["take"], values)


async def due(database: Database, limit: int) -> list[Waiting]:
    """The letters whose time has come."""
    async with database.connection() as connection:
        return [
            Waiting(*row) for row in await (await connection.execute(SQL["due"], {"limit": limit})).fetchall()
        ]


async def done(database: Database, letter: int) -> None:
    """A letter is sent, or given up."""
    async with database.connection() as connection:
        await connection.execute(SQL["done"], {"id": letter})


async def later(database: Database, letter: int, pause: float) -> None:
    """A letter is tried again in so many seconds."""
    async with database.connection() as connection:
        await connection.execute(SQL["later"], {"id": letter, "pause": pause})
