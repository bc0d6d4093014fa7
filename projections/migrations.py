"""Numbered migrations of schema ``acta``, one folder per room: ``sql/<room>/migrations/0001_name.sql``.

Each is applied once, in order, inside the caller's transaction. A number, once released, never changes its
text; what is wrong with it is put right by the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from domain.errors import ServiceUnavailable
from projections.database import Connection
from projections.sql import load, script

SQL = load("migrations")
_FOLDER = Path(__file__).parent / "sql"
PREPARE_LOCK = 0x61637461_0001


async def begin(connection: Connection) -> None:
    """Wait for other processes that prepare, until the transaction ends; create schema ``acta``."""
    await connection.execute(SQL["lock"], {"key": PREPARE_LOCK})
    row = await (await connection.execute(SQL["encoding"])).fetchone()
    if row is not None and row[0] != "UTF8":
        raise ServiceUnavailable("database", f"its encoding is {row[0]}: Acta needs UTF8")
    row = await (await connection.execute(SQL["exists"])).fetchone()
    if row is not None and not row[0]:
        await connection.execute(SQL["create_room"])


async def migrate(connection: Connection, room: str) -> list[str]:
    """Apply what is missing of a room's migrations, after `begin`; gives the names of those applied now.

    Raises ServiceUnavailable when the database was prepared by a newer Acta.
    """
    rows = await (await connection.execute(SQL["applied"], {"room": room})).fetchall()
    applied = {number for (number,) in rows}
    known = dict(_known(room))
    if applied - known.keys():
        raise ServiceUnavailable("database", f"its {room} was prepared by a newer version of Acta")
    done = []
    for number, name in known.items():
        if number not in applied:
            await connection.execute(script(f"{room}/migrations/{name}"))
            await connection.execute(SQL["record"], {"room": room, "number": number, "name": name})
            done.append(name)
    return done


def _known(room: str) -> Iterator[tuple[int, str]]:
    for path in sorted((_FOLDER / room / "migrations").glob("*.sql")):
        yield int(path.stem.split("_", 1)[0]), path.stem
