"""The rows of an uploaded file: CSV with a header, read line by line, or an array in JSON, read whole.

Each reader begins at the start of the file, so a file can be read again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

import orjson

from domain.errors import InvalidPayload

LONGEST_CELL = 64 * 1024 * 1024

Row = dict[str, Any]


def rows_of_json(file: IO[bytes]) -> Iterator[Row]:
    """The objects of a JSON array.

    Raises:
        InvalidPayload: for anything else.
    """
    file.seek(0)
    try:
        rows = orjson.loads(file.read())
    except orjson.JSONDecodeError as error:
        raise InvalidPayload(f"The file is no valid JSON: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _no_array()
    yield from rows


def _no_array() -> InvalidPayload:
    return InvalidPayload("The file has to hold an array of objects")


def rows_of_csv(file: IO[bytes]) -> Iterator[Row]:
    """The rows below a header line; empty cells are left out, names with dots make nested objects.

    Raises:
        InvalidPayload: as soon as something is met that is no CSV.
    """
    file.seek(0)
    csv.field_size_limit(LONGEST_CELL)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
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
    except UnicodeDecodeError:
        raise InvalidPayload("The file is not UTF-8") from None
    except csv.Error as error:
        raise InvalidPayload(f"The file is no valid CSV: {error}") from None
    finally:
        # An import that was given up has closed it by now.
        if not file.closed:
            text.detach()


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


READERS: Mapping[str, Callable[[IO[bytes]], Iterator[Row]]] = {
    "application/json": rows_of_json,
    "text/csv": rows_of_csv,
    "application/vnd.ms-excel": rows_of_csv,
}
"""The readers by media type."""
