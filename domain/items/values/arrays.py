"""PostgreSQL arrays: JSON arrays in, array literals out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from domain.items.values.refused import Refused

_MAXIMUM_DIMENSIONS = 6


def array(element: Callable[[Any], str | None]) -> Callable[[Any], str]:
    """Converter of an array column; a text is taken as PostgreSQL's own array literal."""

    def convert(value: Any) -> str:
        if isinstance(value, str):
            if "\x00" in value:
                raise Refused("an array")
            return value
        if not isinstance(value, list):
            raise Refused("an array")
        return _literal(value, element, 1)

    return convert


def literal(texts: Sequence[str | None]) -> str:
    """A one-dimensional array literal of texts."""
    return "{" + ",".join(map(_quoted, texts)) + "}"


def _literal(values: list[Any], element: Callable[[Any], str | None], depth: int) -> str:
    if depth > _MAXIMUM_DIMENSIONS:
        raise Refused("an array of at most six dimensions")
    parts = [
        _literal(value, element, depth + 1)
        if isinstance(value, list)
        else _quoted(None if value is None else element(value))
        for value in values
    ]
    return "{" + ",".join(parts) + "}"


def _quoted(text: str | None) -> str:
    if text is None:
        return "NULL"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
