"""Large exports: the same files as `api.rest.exports`, written while the items are read, in bounded memory.

The columns of a CSV file are those of all rows, so rows that hold objects are kept in a temporary file until
the last one is seen. Rows of plain values need no such thing: PostgreSQL writes them itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import orjson
from aiohttp import web

from api.formats import BOM, FORMATS, Format, csv, json, xml, yaml
from api.keys import CONTEXT, READER, Context
from api.rest.exports import arranged, attachment
from projections.reading.past import names_past

Raw = str | Mapping[str, Any]
SMALL = 1000
"""Up to this many rows an export is written in one piece."""
_LINES = 1000


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
    """A list as a file that is sent while it is read; a query is refused before the first byte."""
    context, reader = request[CONTEXT], request.app[READER]
    name = next(name for name, known in FORMATS.items() if known is form)
    scope = (context.model, context.rights, context.caller, collection, raw)
    plain = reader.csv(*scope) if name.startswith("csv") else None
    if plain is not None:
        parts = _plain_csv(*plain)
    else:
        rows = _rows(reader.stream(*scope), lambda row: arranged(row, context.model, collection))
        parts = _FORMS[name.removesuffix("_utf8")](rows)
    first = await anext(parts, b"")
    if name == "csv_utf8":
        first = BOM.encode() + first
    response = web.StreamResponse(headers=attachment(collection, form))
    await response.prepare(request)
    await response.write(first)
    async for part in parts:
        await response.write(part)
    await response.write_eof()
    return response


Rows = AsyncIterator[list[Any]]


async def _rows(batches: AsyncIterator[list[bytes]], arrange: Callable[[Any], Any]) -> Rows:
    async for batch in batches:
        yield [arrange(row) for row in orjson.loads(b"[" + b",".join(batch) + b"]")]


async def _plain_csv(columns: Any, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Header and lines; without rows there is nothing at all, and no line feed ends the file."""
    last = b""
    async for block in lines:
        if not last:
            yield ",".join(csv.quoted(column) for column in columns).encode() + b"\n"
        else:
            yield last
        last = block
    yield last.removesuffix(b"\n")


async def _csv(rows: Rows) -> AsyncIterator[bytes]:
    columns: dict[str, None] = {}
    with tempfile.TemporaryFile() as kept:
        async for batch in rows:
            for row in batch:
                flat = csv.flat(row)
                columns.update(dict.fromkeys(flat))
                kept.write(orjson.dumps(flat) + b"\n")
        if columns:
            yield ",".join(csv.quoted(name) for name in columns).encode()
        kept.seek(0)
        while lines := kept.readlines(_LINES * 200):
            texts = (
                ",".join(csv.cell(row.get(name)) for name in columns) for row in map(orjson.loads, lines)
            )
            if columns:
                yield b"".join(b"\n" + text.encode() for text in texts)


async def _json(rows: Rows) -> AsyncIterator[bytes]:
    opened = False
    async for batch in rows:
        # Without the brackets of the batch: "[\n" before and "\n]" after.
        text = json.dump(batch)[2:-2]
        yield ((",\n" if opened else "[\n") + text).encode()
        opened = True
    yield b"\n]" if opened else b"[]"


async def _xml(rows: Rows) -> AsyncIterator[bytes]:
    opened = False
    async for batch in rows:
        head, _, rest = xml.dump(batch).partition("<data>\n")
        yield ((rest if opened else f"{head}<data>\n{rest}").removesuffix("</data>")).encode()
        opened = True
    yield b"</data>" if opened else xml.dump([]).encode()


async def _yaml(rows: Rows) -> AsyncIterator[bytes]:
    opened = False
    async for batch in rows:
        yield yaml.dump(batch).encode()
        opened = True
    if not opened:
        yield yaml.dump([]).encode()


_FORMS: Mapping[str, Callable[[Rows], AsyncIterator[bytes]]] = {
    "csv": _csv,
    "json": _json,
    "xml": _xml,
    "yaml": _yaml,
}
