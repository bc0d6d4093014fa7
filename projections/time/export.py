"""The log as a file: JSON lines from which a project can be built again, roots included.

Each line is an object with one member: ``log`` (the first), ``request`` (a context of commands), ``event``,
``seal`` (after its events), and at the end ``adoption`` and ``structure``: what no event tells, the
definitions of tables, types, functions and views at that time. An export can be continued: what was cut off
in the middle of a seal is written again, and the last ``structure`` counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from domain.errors import InvalidPayload
from projections.database import Connection, Database
from projections.log.archived import last_archived
from projections.log.positions import last_position
from projections.sql import load
from projections.tables.store import ModelStore
from projections.time.into import definitions
from projections.time.moments import settle
from projections.time.structure import Leftovers

SQL: Final = load("time/export")
FORMAT: Final = "acta.log/1"
SEALS_AT_ONCE: Final = 200

Progress = Callable[[int, int, str], None]


async def export_log(database: Database, path: Path, schemas: Sequence[str], progress: Progress) -> int:
    """Write the whole log to a file, or continue one; gives the last position in it.

    Raises:
        InvalidPayload: when the file is no export of this log, or what is missing in it is archived.
        OSError: when it can't be written; what is there can be continued.
    """
    await settle(database)
    after = await _continued(database, path)
    with _appending(path) as file:
        if after is None:
            _line(file, {"log": FORMAT})
            after = -1
        async with database.connection() as connection:
            if after < 0:
                await _past(connection, file)
            end = await _seals(connection, file, after, progress)
            for (text,) in await (await connection.execute(SQL["adoptions"])).fetchall():
                file.write(text.encode() + b"\n")
            store = await ModelStore.open(database, schemas=schemas)
            leftovers = await Leftovers.of(connection)
            _line(
                file,
                {
                    "structure": {
                        "position": end,
                        "schemas": list(schemas),
                        "tables": await definitions(connection, store.current),
                        "before": list(leftovers.before),
                        "functions": list(leftovers.functions),
                        "views": list(leftovers.views),
                    }
                },
            )
    return end


async def _past(connection: Connection, file: BinaryIO) -> None:
    for (text,) in await (await connection.execute(SQL["past"])).fetchall():
        file.write(text.encode() + b"\n")


async def _seals(connection: Connection, file: BinaryIO, after: int, progress: Progress) -> int:
    total, contexts = await last_position(connection), 0
    position = 0
    archived = await last_archived(connection)
    while True:
        values: dict[str, Any] = {"after": after, "limit": SEALS_AT_ONCE}
        seals = await (await connection.execute(SQL["seals"], values)).fetchall()
        if not seals:
            return total if position == 0 else position
        if archived is not None and seals[0][1] <= archived.position:
            raise archived.refusal()
        values = {"first": seals[0][0], "last": seals[-1][0]}
        events: dict[int, list[bytes]] = {}
        for seal, text in await (await connection.execute(SQL["events"], values)).fetchall():
            events.setdefault(seal, []).append(text.encode())
        # After the events, so that none of theirs is missing.
        rows = await (await connection.execute(SQL["requests"], {"after": contexts})).fetchall()
        for number, text in rows:
            file.write(text.encode() + b"\n")
            contexts = number
        for seal, last, text in seals:
            file.write(b"\n".join([*events.get(seal, ()), text.encode()]) + b"\n")
            after, position = seal, last
        file.flush()
        progress(position, total, "log")


async def _continued(database: Database, path: Path) -> int | None:
    """The last seal that a file holds whole; what follows is cut off. None for no file, or an empty one."""
    found = _whole(path)
    if found is None:
        return None
    seal, end, root = found
    if seal >= 0:
        async with database.connection() as connection:
            cursor = await connection.execute("select root from acta.seals where id = %s", [seal])
            row = await cursor.fetchone()
        if row is None or "\\x" + row[0].hex() != root:
            raise InvalidPayload(f"{path} is the export of another log")
    _cut_off(path, end)
    return seal


def _cut_off(path: Path, end: int) -> None:
    with path.open("r+b") as file:
        file.truncate(end)


def _whole(path: Path) -> tuple[int, int, str] | None:
    """Id and root of the last whole seal of a file, and where its line ends."""
    if not path.exists() or not path.stat().st_size:
        return None
    with path.open("rb") as file:
        if _object(file.readline()).get("log") != FORMAT:
            raise InvalidPayload(f"{path} is no export of a log")
        seal, end, root = -1, file.tell(), ""
        for line in iter(file.readline, b""):
            if line.startswith(b'{"seal"') and line.endswith(b"\n"):
                told = _object(line).get("seal", {})
                seal, end, root = told["id"], file.tell(), told["root"]
    return seal, end, root


def _appending(path: Path) -> BinaryIO:
    return path.open("ab")


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _line(file: BinaryIO, content: Any) -> None:
    file.write(orjson.dumps(content) + b"\n")
