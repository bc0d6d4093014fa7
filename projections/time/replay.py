"""A project built again from an export of its log alone, in an empty database, with identical roots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from psycopg.types.json import Jsonb

from domain.access.command import Command
from domain.errors import InvalidPayload
from projections.database import Database
from projections.log.prepare import ensure_ranges
from projections.log.seal import ensure_epoch
from projections.prepare import prepare
from projections.schema import remake
from projections.schema.definitions import Definition
from projections.schema.work import Work
from projections.sql import load
from projections.tables.store import ModelStore
from projections.time.export import FORMAT
from projections.time.into import SQL as INTO
from projections.time.into import IntoDatabase, Progress
from projections.time.moments import Cut, cut_at
from projections.time.structure import Leftovers

SQL: Final = load("time/export")
LINES_AT_ONCE: Final = 20_000


class Replay(IntoDatabase):
    """One replay of a file; the database is its own source once the log is in it."""

    def __init__(self, path: Path, target: Database, progress: Progress) -> None:
        self._path = path
        self._structure_line = _structure_of(path)
        position = int(self._structure_line["position"])
        cut = Cut(position, 0, "{}")
        super().__init__(target, target, cut, self._structure_line["schemas"], progress)

    async def _structure(self) -> list[Definition]:
        self._progress(0, 1, "tables")
        await prepare(self._target)
        store = await ModelStore.open(self._target, schemas=self._schemas)
        tables: list[Definition] = self._structure_line["tables"]
        async with self._target.transaction() as connection:
            work = Work(connection, Command.internal(), store, store.current, self._schemas[0])
            await (await self._leftovers()).make_before(connection)
            for table in tables:
                await remake.make_table(work, table)
            await connection.execute(SQL["set_redacting"])
            await connection.execute(INTO["empty_log"])
            await connection.execute(INTO["note_tables"], {"tables": Jsonb(tables)})
        return tables

    async def _leftovers(self) -> Leftovers:
        told = self._structure_line
        return Leftovers(told["before"], told["functions"], told["views"])

    async def _log(self) -> None:
        async with self._target.connection() as target:
            row = await (await target.execute(SQL["end"])).fetchone()
            done = row[0] if row else -1
            for number, (lines, seal, seq) in enumerate(_portions(self._path, done)):
                self._progress(number, 0, "log")
                async with target.transaction():
                    await ensure_ranges(target, seq)
                    await target.execute(SQL["arriving"])
                    async with target.cursor().copy(SQL["take_lines"]) as incoming:
                        for line in lines:
                            await incoming.write_row((line,))
                    for step in ("keep_requests", "keep_events", "keep_seals", "keep_adoptions"):
                        await target.execute(SQL[step])
                done = seal
            row = await (await target.execute(SQL["end"])).fetchone()
            assert row is not None
            if row[1] != self._cut.position:
                raise InvalidPayload(f"{self._path} ends at position {row[1]}, not {self._cut.position}")
            await target.execute(INTO["continue_log"], {"upto": row[2]})
            async with target.transaction():
                await target.execute(SQL["set_redacting"])
                await target.execute(SQL["redact"])
            self._cut = await cut_at(target, self._cut.position) if row[1] else Cut(0, 0, "{}")
        await ensure_epoch(self._target)

    async def _adoptions(self, source: Any, target: Any) -> None:
        """They came with the log."""


def _portions(path: Path, done: int) -> Iterator[tuple[list[str], int, int]]:
    """Lines behind a seal, in portions that end with one; with its id and their highest seq."""
    lines: list[str] = []
    last, highest = done, 0
    with path.open("rb") as file:
        file.readline()
        passed = done < 0
        for line in file:
            text = line.decode().rstrip("\n")
            if text.startswith('{"structure"'):
                continue
            seal = text.startswith('{"seal"')
            if not passed:
                passed = seal and _loads(path, line)["seal"]["id"] >= done
                continue
            lines.append(text)
            if text.startswith('{"event"'):
                highest = max(highest, _loads(path, line)["event"]["seq"])
            if seal and len(lines) >= LINES_AT_ONCE:
                last = _loads(path, line)["seal"]["id"]
                yield lines, last, highest
                lines = []
    if lines:
        yield lines, last, highest


def _structure_of(path: Path) -> Mapping[str, Any]:
    """The last description of the structure in a file.

    Raises:
        InvalidPayload: when the file is no export, or was never finished.
    """
    found: Any = None
    with path.open("rb") as file:
        first = file.readline()
        if not first or _loads(path, first).get("log") != FORMAT:
            raise InvalidPayload(f"{path} is no export of a log")
        for line in file:
            if line.startswith(b'{"structure"'):
                found = _loads(path, line)["structure"]
    if found is None:
        raise InvalidPayload(f"{path} is not complete: continue it with `acta log export`")
    result: Mapping[str, Any] = found
    return result


def _loads(path: Path, line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        raise InvalidPayload(f"{path} is damaged") from None
