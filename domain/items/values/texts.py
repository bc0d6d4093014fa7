"""Texts, and the text that JSON values have where a text is wanted."""

from __future__ import annotations

from typing import Any

import orjson

from domain.items.values.refused import Refused


def plain(value: Any) -> str:
    """The text of a JSON value: scalars as JavaScript prints them, objects and arrays as JSON."""
    if isinstance(value, str):
        if "\x00" in value:
            raise Refused("a text without NUL bytes")
        if not value.isascii():
            _check_encodable(value)
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return number_text(value)
    return json_text(value)


def json_text(value: Any) -> str:
    """A JSON value as JSON; NUL characters, which ``jsonb`` can't hold, are refused."""
    try:
        text = orjson.dumps(value).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused("a JSON value") from error
    if "\\u0000" in text and _holds_nul(value):
        raise Refused("a JSON value without NUL characters")
    return text


def number_text(value: float) -> str:
    """A number as JavaScript prints it: ``7.0`` is ``7``."""
    if value != value or value in (float("inf"), float("-inf")):
        raise Refused("a finite number")
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return repr(value)


def _check_encodable(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Refused("a text of valid characters") from error


def _holds_nul(value: Any) -> bool:
    pending = [value]
    while pending:
        entry = pending.pop()
        if isinstance(entry, str):
            if "\x00" in entry:
                return True
        elif isinstance(entry, dict):
            pending.extend(entry)
            pending.extend(entry.values())
        elif isinstance(entry, list):
            pending.extend(entry)
    return False
