"""Large exports: the same files as `api.rest.exports`, written while the items are read, in bounded memory.

The columns of a CSV file are those of all rows, so rows that hold objects are kept in a temporary file until
the last one is seen. Rows of plain values need no such thing: PostgreSQL writes them itself.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import IO, Any

import orjson
from aiohttp import web

from api.formats import BOM, FORMATS, Format, csv, json, xml, yaml
from api.keys import CONTEXT, DOWNLOADS, ITEMS, READER, SETTINGS, Context
from api.read_events import ReadEvents
from api.rest.exports import arranged, attachment
from domain.errors import ActaError
from projections.reading.past import names_past
from projections.reading.reader import Reader

Raw = str | Mapping[str, Any]
Rows = AsyncGenerator[list[Any]]
Parts = AsyncGenerator[bytes]
SMALL = 1000
"""Up to this many rows an export is written in one piece."""
_READ = 1 << 18
_log = logging.getLogger("acta.exports")


def is_large(request: web.Request, context: Context, collection: str, raw: Raw) -> bool:
    """Whether an export asks for more rows than are written in one piece."""
    if names_past(raw):
        return False
    found = context.model.collection(collection)
    if found is None or found.singleton:
        return False
    rows = request.app[READER].rows_asked(raw)
    return rows < 0 or rows > SMALL


async def stream_export(request: web.Request, collection: str, raw: Raw, form: Format) -> web.StreamResponse:
    """A list as a file that is sent while it is read; a query is refused before the first byte.

    It holds a connection to the database for as long as the client reads. So there are only so many at once,
    and a client that takes longer for a piece than a statement may run is cut off.
    """
    seconds = request.app[SETTINGS].database.statement_timeout / 1000
    events = request.app[ITEMS].events
    async with (
        request.app[DOWNLOADS],
        aclosing(file_parts(request.app[READER], events, request[CONTEXT], collection, raw, form)) as parts,
    ):
        first = await anext(parts, b"")
        response = web.StreamResponse(headers=attachment(collection, form))
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        try:
            await _send(response, first, seconds)
            async for part in parts:
                await _send(response, part, seconds)
        except BaseException as error:
            # What was sent so far must not pass for the whole file.
            if request.transport is not None:
                request.transport.abort()
            if not isinstance(error, (ActaError, OSError)):
                raise
            _log.warning("an export of %s was cut off: %s", collection, error)
            return response
        await response.write_eof()
    return response


async def _send(response: web.StreamResponse, part: bytes, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds or None):
            await response.write(part)
    except TimeoutError:
        raise ConnectionResetError("the client does not take what it asked for") from None


async def file_parts(
    reader: Reader, events: ReadEvents, context: Context, collection: str, raw: Raw, form: Format
) -> Parts:
    """The pieces of a list as a file, in bounded memory; whoever stops early has to close it.

    Raises:
        ActaError: what the query is refused with, before the first piece.
    """
    name = next(name for name, known in FORMATS.items() if known is form)
    raw = await events.query(context, collection, raw)
    shows = await events.shows(context, collection)
    scope = (context.model, context.rights, context.caller, collection, raw)
    plain = reader.csv(*scope) if name.startswith("csv") and not shows else None
    if plain is not None:
        columns, lines = plain
        async with aclosing(lines):
            async for part in _marked(name, _plain_csv(columns, lines)):
                yield part
        return
    async with aclosing(reader.stream(*scope)) as batches:
        rows = _rows(batches)
        if shows:
            rows = _shown(events, context, collection, raw, rows)
        rows = _arranged(rows, lambda row: arranged(row, context.model, collection))
        async for part in _marked(name, _FORMS[name.removesuffix("_utf8")](rows)):
            yield part


async def _marked(name: str, parts: Parts) -> Parts:
    mark = BOM.encode() if name == "csv_utf8" else b""
    async for part in parts:
        yield mark + part
        mark = b""
    if mark:
        yield mark


async def _rows(batches: AsyncGenerator[list[bytes]]) -> Rows:
    def parsed(batch: Sequence[bytes]) -> list[Any]:
        rows: list[Any] = orjson.loads(b"[" + b",".join(batch) + b"]")
        return rows

    async for batch in batches:
        # In a thread, as all work on batches is: others are answered meanwhile.
        yield await asyncio.to_thread(parsed, batch)


async def _shown(events: ReadEvents, context: Context, collection: str, raw: Raw, batches: Rows) -> Rows:
    query = events.told(raw)
    async for batch in batches:
        if left := await events.records(context, collection, query, batch):
            yield left


async def _arranged(batches: Rows, arrange: Callable[[Any], Any]) -> Rows:
    async for batch in batches:
        yield await asyncio.to_thread(lambda rows: [*map(arrange, rows)], batch)


async def _plain_csv(columns: Sequence[str], lines: Parts) -> Parts:
    """Header and lines; without rows there is nothing at all, and no line feed ends the file."""
    last = b""
    async for block in lines:
        if not last:
            yield ",".join(csv.quoted(column) for column in columns).encode() + b"\n"
        else:
            yield last
        last = block
    yield last.removesuffix(b"\n")


async def _csv(rows: Rows) -> Parts:
    with tempfile.TemporaryFile() as file:
        table = _Table(file)
        async for batch in rows:
            await asyncio.to_thread(table.keep, batch)
        if not table.columns:
            return
        yield ",".join(csv.quoted(name) for name in table.columns).encode()
        file.seek(0)
        while lines := await asyncio.to_thread(table.lines):
            yield lines


class _Table:
    """Rows of a CSV file, kept in a file until all columns are known."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.columns: dict[str, None] = {}

    def keep(self, batch: Sequence[Any]) -> None:
        for row in batch:
            flat = csv.flat(row)
            self.columns.update(dict.fromkeys(flat))
            self._file.write(orjson.dumps(flat) + b"\n")

    def lines(self) -> bytes:
        """Some more lines, each with a line feed before it; nothing at the end."""
        rows = map(orjson.loads, self._file.readlines(_READ))
        texts = (",".join(csv.cell(row.get(name)) for name in self.columns) for row in rows)
        return b"".join(b"\n" + text.encode() for text in texts)


async def _json(rows: Rows) -> Parts:
    opened = False
    async for batch in rows:
        # Without the brackets of the batch: "[\n" before and "\n]" after.
        text = (await asyncio.to_thread(json.dump, batch))[2:-2]
        yield ((",\n" if opened else "[\n") + text).encode()
        opened = True
    yield b"\n]" if opened else b"[]"


async def _xml(rows: Rows) -> Parts:
    opened = False
    async for batch in rows:
        head, _, rest = (await asyncio.to_thread(xml.dump, batch)).partition("<data>\n")
        yield ((rest if opened else f"{head}<data>\n{rest}").removesuffix("</data>")).encode()
        opened = True
    yield b"</data>" if opened else xml.dump([]).encode()


async def _yaml(rows: Rows) -> Parts:
    opened = False
    async for batch in rows:
        yield (await asyncio.to_thread(yaml.dump, batch)).encode()
        opened = True
    if not opened:
        yield yaml.dump([]).encode()


_FORMS: Mapping[str, Callable[[Rows], Parts]] = {
    "csv": _csv,
    "json": _json,
    "xml": _xml,
    "yaml": _yaml,
}
