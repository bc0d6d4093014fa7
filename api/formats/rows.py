"""The rows of an uploaded file, read one by one: CSV with a header, or an array of objects in JSON.

Each reader begins at the start of the file, so a file can be read again.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

import orjson

from domain.errors import InvalidPayload

LONGEST_ROW = 8 * 1024 * 1024
"""Bytes of one row: what is read of a file at once, and what its values may take, is bounded by it."""
_CHUNK = 1 << 16
_SPACE = re.compile(rb"[ \t\r\n]*+")
# Up to the next bracket that is in no text; lists and objects of plain values are skipped. No group is
# possessive: Python before 3.11.5 takes such ones wrongly.
_BRACKET = re.compile(
    rb'(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*"|\[[^"{}\[\]]*+\]|\{[^"{}\[\]]*+\})*[{}\[\]]', re.DOTALL
)
_DEEPEST = 1024
"""The nesting that orjson takes."""

Row = dict[str, Any]
Sized = tuple[Row, int]
"""A row and the bytes of its text."""


def rows_of_json(file: IO[bytes]) -> Iterator[Sized]:
    """The objects of a JSON array.

    Raises:
        InvalidPayload: as soon as something else is met.
    """
    file.seek(0)
    text = _Text(file)
    if text.mark() != b"[":
        raise _no_array()
    mark = text.mark()
    if mark == b"]":
        mark = text.mark()
    else:
        while mark == b"{":
            row = text.object()
            yield _parsed(row), len(row)
            mark = text.mark()
            if mark == b"]":
                mark = text.mark()
                break
            if mark != b",":
                raise _no_array()
            mark = text.mark()
        else:
            raise _no_array()
    if mark:
        raise _no_array()


class _Text:
    """JSON that is read as far as it is needed. What is between brackets is looked at by orjson later."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._held = b""
        self._place = 0

    def mark(self) -> bytes:
        """The next character that is no space; empty at the end."""
        while True:
            found = _SPACE.match(self._held, self._place)
            assert found is not None
            self._place = found.end() + 1
            if found.end() < len(self._held):
                return self._held[found.end() : self._place]
            if not self._read_on(len(self._held)):
                return b""

    def object(self) -> bytes:
        """The object whose opening bracket was the last character."""
        start = self._place - 1
        depth, place = 1, self._place
        while depth:
            found = _BRACKET.match(self._held, place)
            if found is None:
                if not self._read_on(start):
                    raise InvalidPayload("The file is no valid JSON: it ends inside an object")
                start, place = 0, place - start
            else:
                place = found.end()
                depth += 1 if self._held[place - 1] in b"{[" else -1
                if depth > _DEEPEST:
                    raise InvalidPayload(f"The file nests deeper than {_DEEPEST} levels")
        self._place = place
        return self._held[start:place]

    def _read_on(self, start: int) -> bool:
        """Drop what comes before ``start``, and hold more; False when there is no more."""
        self._held = self._held[start:]
        self._place = 0
        if len(self._held) > LONGEST_ROW:
            raise _too_long()
        # Twice as much each time, so that looking again at a long row costs no more than reading it.
        more = self._file.read(max(_CHUNK, len(self._held)))
        self._held += more
        return bool(more)


def _parsed(text: bytes) -> Row:
    if len(text) > LONGEST_ROW:
        raise _too_long()
    try:
        row: Row = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidPayload(f"The file is no valid JSON: {error}") from None
    return row


def _no_array() -> InvalidPayload:
    return InvalidPayload("The file has to hold an array of objects")


def _too_long() -> InvalidPayload:
    return InvalidPayload(f"The file holds a row of more than {LONGEST_ROW} bytes")


def rows_of_csv(file: IO[bytes]) -> Iterator[Sized]:
    """The rows below a header line; empty cells are left out, names with dots make nested objects.

    Raises:
        InvalidPayload: as soon as something is met that is no CSV.
    """
    file.seek(0)
    csv.field_size_limit(LONGEST_ROW)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) > len(header):
                raise InvalidPayload(f"Line {reader.line_num} has more cells than the header")
            size = sum(map(len, cells))
            if size > LONGEST_ROW:
                raise _too_long()
            row: Row = {}
            for name, cell in zip(header, cells, strict=False):
                if cell != "":
                    _put(row, name.split("."), value_of(cell))
            yield row, size
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


READERS: Mapping[str, Callable[[IO[bytes]], Iterator[Sized]]] = {
    "application/json": rows_of_json,
    "text/csv": rows_of_csv,
    "application/vnd.ms-excel": rows_of_csv,
}
"""The readers by media type."""
