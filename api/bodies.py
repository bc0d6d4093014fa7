"""Reading request bodies: what counts as JSON, and what a body may be at most.

A body that is not declared ``application/json`` is no body (``{}``), as is an empty one. JSON has to be
an object or an array. Text that PostgreSQL can't hold (NUL) is refused here, before anything is planned
with it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp import hdrs, web

from domain.errors import InvalidPayload, OutOfTime, UnsupportedMediaType

SECONDS = 60.0
"""How long a body may take to come; also ends requests whose body is packed in a way that has no end."""
_MALFORMED = "Couldn't parse body as JSON"


async def read_json(request: web.Request) -> Any:
    """The JSON body of a request, ``{}`` when there is none.

    Raises:
        InvalidPayload: malformed, not UTF-8, with NUL characters, or neither object nor array.
        HTTPRequestEntityTooLarge, RequestPayloadError: too large, or can't be unpacked; the error middleware
            answers them as the same.
    """
    if not request.body_exists or not is_json(request):
        return {}
    raw = await read_raw(request)
    if not raw and request.content_length:
        # Something was sent, and decompressing it gave nothing.
        raise InvalidPayload(_MALFORMED)
    return parse_json(raw) if raw else {}


async def read_raw(request: web.Request) -> bytes:
    """The body of a request, which has to come within a time.

    Raises:
        OutOfTime
        HTTPRequestEntityTooLarge, RequestPayloadError
    """
    try:
        async with asyncio.timeout(SECONDS):
            return await request.read()
    except TimeoutError:
        raise OutOfTime("request body", round(SECONDS * 1000)) from None


async def read_object(request: web.Request) -> dict[str, Any]:
    """The JSON body of a request that takes an object."""
    body = await read_json(request)
    if not isinstance(body, dict):
        raise InvalidPayload('"value" must be of type object')
    return body


def parse_json(raw: bytes) -> Any:
    """JSON by the rules for bodies."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidPayload(f"{_MALFORMED}: {error}") from None
    if not isinstance(value, (dict, list)):
        raise InvalidPayload(f"{_MALFORMED}: expected an object or an array")
    if b"\\u0000" in raw and _holds_nul(value):
        raise InvalidPayload("Text can't contain NUL characters")
    return value


def is_json(request: web.Request) -> bool:
    """Whether a body counts: it is declared as JSON. Raises UnsupportedMediaType for other charsets."""
    if request.content_type != "application/json":
        return False
    charset = (request.charset or "utf-8").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType(request.headers.get(hdrs.CONTENT_TYPE, ""), "Content-Type header")
    return True


def _holds_nul(value: Any) -> bool:
    # The escape may be an escaped backslash before "u0000", so only the parsed value can tell.
    pending = [value]
    while pending:
        entry = pending.pop()
        if isinstance(entry, str):
            if "\0" in entry:
                return True
        elif isinstance(entry, list):
            pending.extend(entry)
        elif isinstance(entry, dict):
            pending.extend(entry)
            pending.extend(entry.values())
    return False
