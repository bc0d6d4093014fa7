"""POST /utils/import/{collection}: the rows of an uploaded file, CSV or JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson
from aiohttp import BodyPartReader, hdrs, web

from api.commands import command_of
from api.files.multipart import BROKEN_FORM
from api.keys import AUTHENTICATOR, CONTEXT, IMPORTER
from api.responses import empty
from domain.errors import ContentTooLarge, InvalidPayload, UnsupportedMediaType

MAXIMUM_BYTES = 512 * 1024 * 1024
CSV_TYPES = frozenset({"text/csv", "application/vnd.ms-excel"})
JSON_TYPE = "application/json"

Row = dict[str, Any]


async def import_items(request: web.Request) -> web.Response:
    """Insert or change every row of the file, all or none."""
    context = request[CONTEXT]
    collection = request.match_info["collection"]
    if not request.content_type.startswith("multipart/"):
        raise UnsupportedMediaType(request.content_type, "Content-Type header")
    importer = request.app[IMPORTER]
    command = await command_of(request)
    importer.check(command, context.model, collection)
    rows = await _rows(request)
    try:
        await importer.run(command, context.model, collection, rows)
    finally:
        request.app[AUTHENTICATOR].rights.settle()
    return empty()


def routes() -> list[web.RouteDef]:
    """The route."""
    return [web.post("/utils/import/{collection}", import_items)]


async def _rows(request: web.Request) -> list[Row]:
    try:
        return await _rows_of_form(request)
    except BROKEN_FORM as error:
        raise InvalidPayload(f"The body can't be read as a form: {error}") from None


async def _rows_of_form(request: web.Request) -> list[Row]:
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.filename is None:
            continue
        media = part.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
        if media not in CSV_TYPES and media != JSON_TYPE:
            raise UnsupportedMediaType(media, "file import")
        content = await _content(part)
        return rows_of_json(content) if media == JSON_TYPE else list(rows_of_csv(content))
    raise InvalidPayload("The request holds no file")


async def _content(part: BodyPartReader) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(1 << 16):
        content += chunk
        if len(content) > MAXIMUM_BYTES:
            raise ContentTooLarge()
    return bytes(content)


def rows_of_json(content: bytes) -> list[Row]:
    """The objects of a JSON array.

    Raises:
        InvalidPayload
    """
    try:
        rows = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidPayload(f"The file is no valid JSON: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidPayload("The file has to hold an array of objects")
    return rows


def rows_of_csv(content: bytes) -> Iterator[Row]:
    """The rows below a header line; empty cells are left out, names with dots make nested objects.

    Raises:
        InvalidPayload
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidPayload("The file is not UTF-8") from None
    csv.field_size_limit(MAXIMUM_BYTES)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) > len(header):
                raise InvalidPayload(f"Line {reader.line_num} has more cells than the header")
            row: Row = {}
            for name, cell in zip(header, cells, strict=False):
                if cell != "":
                    _put(row, name.split("."), value_of(cell))
            yield row
    except csv.Error as error:
        raise InvalidPayload(f"The file is no valid CSV: {error}") from None


def value_of(cell: str) -> Any:
    """What a cell says: JSON where it is JSON, except that numbers stay as they are written."""
    if cell[0] not in '[{"tfn':
        return cell
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell


def _put(row: Row, path: list[str], value: Any) -> None:
    *parents, last = path
    for name in parents:
        below = row.setdefault(name, {})
        if not isinstance(below, dict):
            return
        row = below
    row[last] = value
