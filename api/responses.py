"""Answers in the shapes of the contract, with the headers that every answer carries.

``ETag`` and ``X-Request-Id`` are added by `api.middleware.headers`, once for all.
"""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web
from multidict import CIMultiDict, istr

from api.keys import VERSION
from domain.errors import ActaError, ErrorGroup, RequestsExceeded, ServiceUnavailable

COMMON = {
    istr("X-Powered-By"): "Directus",
    istr("Vary"): "Origin, Cache-Control",
    istr("Cache-Control"): "no-cache",
    istr("Server"): "Acta",
}
JSON = CIMultiDict({istr("Content-Type"): "application/json; charset=utf-8", **COMMON})
PLAIN = CIMultiDict(COMMON)


def raw_json(body: bytes, status: int = 200) -> web.Response:
    """An answer whose bytes are JSON already."""
    return web.Response(body=body, status=status, headers=JSON)


def item_json(body: bytes, version: str | None) -> web.Response:
    """The envelope of one item, whose version gets into the answer's ``ETag``."""
    response = raw_json(body)
    if version is not None:
        response[VERSION] = version
    return response


def data(value: Any) -> web.Response:
    """``{"data": value}``."""
    return raw_json(dumps({"data": value}))


def dumps(value: Any) -> bytes:
    """JSON bytes of an answer; keys that aren't text become text."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


def empty(status: int = 200) -> web.Response:
    """Success without a body."""
    return web.Response(status=status, headers=PLAIN)


def no_content() -> web.Response:
    """Status 204."""
    return web.Response(status=204, headers=PLAIN)


def entries_of(error: ActaError | ErrorGroup) -> list[dict[str, Any]]:
    """An error as its answer tells of it: one object, or several."""
    return [entry.entry() for entry in _errors(error)]


def failure(error: ActaError | ErrorGroup, entries: list[dict[str, Any]] | None = None) -> web.Response:
    """The error envelope; with other ``entries`` than the error's own where they are given."""
    shown = entries_of(error) if entries is None else entries
    body = orjson.dumps({"errors": shown}, default=str, option=orjson.OPT_NON_STR_KEYS)
    response = raw_json(body, error.status)
    for entry in _errors(error):
        if isinstance(entry, (ServiceUnavailable, RequestsExceeded)):
            response.headers["Retry-After"] = str(entry.retry_after)
    return response


def _errors(error: ActaError | ErrorGroup) -> tuple[ActaError, ...]:
    return tuple(error.errors) if isinstance(error, ErrorGroup) else (error,)
