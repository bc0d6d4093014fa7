"""Templates in options: ``{{ path }}`` into the data of a run.

A text that is one template and nothing else becomes the value itself; among other text it becomes text. What
is not there becomes the text ``undefined``, as clients of the reference know it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

MISSING: Final = object()
_TEMPLATE: Final = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_PART: Final = re.compile(r"\.?([^.\[\]\"']+)|\[(\d+)\]|\[\"([^\"]*)\"\]|\['([^']*)'\]")
_DEPTH: Final = 100


def resolve(path: str, data: Any) -> Any:
    """The value at a path (``a.b``, ``a[0].b``, ``a["x-y"]``); `MISSING` when there is none."""
    found, place = data, 0
    if not path:
        return MISSING
    while place < len(path):
        part = _PART.match(path, place)
        if part is None:
            return MISSING
        place = part.end()
        found = _member(found, next(text for text in part.groups() if text is not None))
        if found is MISSING:
            return MISSING
    return found


def _member(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name, MISSING)
    if isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 20:
        return value[int(name)] if int(name) < len(value) else MISSING
    return len(value) if name == "length" and isinstance(value, list | str) else MISSING


def expand(value: Any, data: Any, depth: int = 0) -> Any:
    """A value of options with all templates in it replaced; keys of objects stay as they are."""
    if depth > _DEPTH:
        return value
    if isinstance(value, str):
        return _expand_text(value, data)
    if isinstance(value, Mapping):
        return {name: expand(member, data, depth + 1) for name, member in value.items()}
    if isinstance(value, list):
        return [expand(member, data, depth + 1) for member in value]
    return value


def _expand_text(text: str, data: Any) -> Any:
    whole = _TEMPLATE.fullmatch(text)
    if whole is not None:
        found = resolve(whole[1], data)
        return "undefined" if found is MISSING else found
    return _TEMPLATE.sub(lambda match: _as_text(resolve(match[1], data)), text)


def _as_text(value: Any) -> str:
    if value is MISSING:
        return "undefined"
    if isinstance(value, str):
        return value
    return orjson.dumps(value, default=str).decode()
