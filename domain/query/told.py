"""A query as listeners are told of it: lists and objects where its text only stood for them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import orjson

_LISTS: Final = frozenset({"fields", "sort", "groupBy"})
_PROOFS: Final = frozenset({"access_token"})
_NUMBERS: Final = frozenset({"limit", "offset", "page"})


def told(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a query that was understood, each of its kind; not who asks it."""
    return {name: _plain(name, value) for name, value in members.items() if name not in _PROOFS}


def _plain(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value[:1] in ("{", "["):
        with suppress(orjson.JSONDecodeError):
            return orjson.loads(value)
    if name in _LISTS:
        return [part.strip() for part in value.split(",") if part.strip()]
    if name in _NUMBERS:
        with suppress(ValueError):
            return int(value)
    return value
