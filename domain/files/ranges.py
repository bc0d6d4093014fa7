"""The ``Range`` header as the contract reads it: one range, and a single byte is none."""

from __future__ import annotations

import re
from dataclasses import dataclass

from domain.errors import RangeNotSatisfiable

_FIRST = re.compile(r"\s*(\d*)\s*-\s*(\d*)\s*")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes ``start`` to ``end``, both included, of ``size``."""

    start: int
    end: int
    size: int

    @property
    def length(self) -> int:
        """Its number of bytes."""
        return self.end - self.start + 1

    @property
    def header(self) -> str:
        """The value of ``Content-Range``."""
        return f"bytes {self.start}-{self.end}/{self.size}"


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """The range that is asked for, None for the whole.

    Raises:
        RangeNotSatisfiable
    """
    if header is None:
        return None
    unit, equals, rest = header.partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        return None
    first = rest.split(",")[0]
    found = _FIRST.fullmatch(first)
    if found is None or not (found[1] or found[2]) or len(first) > 40:
        raise RangeNotSatisfiable(first.strip()[:40])
    start = int(found[1]) if found[1] else None
    end = int(found[2]) if found[2] else None
    if start is None:
        last = min(end or 0, size)
        begin, stop = size - last, size - 1
        valid = last > 0
    else:
        begin, stop = start, size - 1 if end is None else min(end, size - 1)
        # The reference refuses a range that names a single byte, and so do we.
        valid = begin < size and (end is None or end > start)
    if not valid:
        raise RangeNotSatisfiable(first.strip(), start, end)
    return ByteRange(begin, stop, size)
