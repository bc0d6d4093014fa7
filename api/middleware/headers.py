"""Headers of every answer: request id, common headers, weak ETag; a matching ETag answers 304."""

from __future__ import annotations

import os
import time

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from multidict import istr
from xxhash import xxh3_64_hexdigest

from api.keys import EMITTER, REQUEST_ID, VERSION
from api.refusing import RESPONSE, tell_response
from api.responses import COMMON

X_REQUEST_ID = istr("X-Request-Id")
X_POWERED_BY = istr("X-Powered-By")


@web.middleware
async def headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id before, and the answer its headers after the handler."""
    identifier = request_id()
    request[REQUEST_ID] = identifier
    emitter = request.app[EMITTER]
    began = time.perf_counter() if emitter.tells_at_once(RESPONSE) else None
    response = _completed(request, await handler(request), identifier)
    if began is not None:
        tell_response(request, response, began)
    return response


def _completed(request: web.Request, response: web.StreamResponse, identifier: str) -> web.StreamResponse:
    if response.prepared:
        return response
    found = response.headers
    if X_POWERED_BY not in found:
        for name, value in COMMON.items():
            found.setdefault(name, value)
    found[X_REQUEST_ID] = identifier
    if type(response) is web.Response and isinstance(body := response.body, bytes) and hdrs.ETAG not in found:
        tag = weak_etag(body, response.get(VERSION))
        found[hdrs.ETAG] = tag
        if hdrs.IF_NONE_MATCH in request.headers and _fresh(request, response, tag):
            return _not_modified(response)
    return response


def request_id() -> str:
    """A random UUID as text, at a third of what the class costs; writes make a `UUID` of it."""
    digits = os.urandom(16).hex()
    variant = "89ab"[ord(digits[16]) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def weak_etag(body: bytes, version: str | None = None) -> str:
    """A validator of the bytes: length and a fast digest, cheap enough for every answer however large.

    The version of the item in the body, where it has one, stands last: what ``If-Match`` looks at.
    """
    tag = f"{len(body):x}-{xxh3_64_hexdigest(body)}"
    return f'W/"{tag}-v{version}"' if version is not None else f'W/"{tag}"'


def _fresh(request: web.Request, response: web.Response, tag: str) -> bool:
    if request.method not in ("GET", "HEAD") or response.status != 200:
        return False
    if "no-cache" in request.headers.get(hdrs.CACHE_CONTROL, ""):
        return False
    wanted = request.headers[hdrs.IF_NONE_MATCH]
    opaque = tag.removeprefix("W/")
    return any(part.strip().removeprefix("W/") in (opaque, "*") for part in wanted.split(","))


def _not_modified(response: web.Response) -> web.Response:
    kept = {name: value for name, value in response.headers.items() if name.lower() not in _OF_THE_BODY}
    return web.Response(status=304, headers=kept)


_OF_THE_BODY = frozenset({"content-type", "content-length", "content-encoding", "transfer-encoding"})
