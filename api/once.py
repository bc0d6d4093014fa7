"""The headers that make a write safe to send: ``If-Match`` and ``Idempotency-Key``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TypeVar

from aiohttp import hdrs, web

from api.bodies import is_json, read_raw
from api.keys import CONTEXT, IDEMPOTENCY, Context
from api.responses import no_content, raw_json
from domain.errors import InvalidPayload
from projections.tables.writing.idempotency import Answer, OnceKey
from projections.tables.writing.versions import ANY_VERSION

IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_TAG = re.compile(r'\s*(?:W/)?"([^"]*)"\s*')
# Servers in between may append to a tag what they did to the body.
_VERSION = re.compile(r"-v([0-9]{1,10})(?![0-9])")

_Handlers = TypeVar("_Handlers")
_Handler = Callable[[_Handlers, web.Request], Awaitable[web.StreamResponse]]


def expected_versions(request: web.Request) -> tuple[str, ...] | None:
    """The versions that ``If-Match`` names, None without one.

    An ``ETag`` of ours ends in the item's version; one without a version is of no item, and fits none.
    """
    given = request.headers.getall(hdrs.IF_MATCH, None)
    if given is None:
        return None
    text = ",".join(given)
    if text.strip() == ANY_VERSION:
        return (ANY_VERSION,)
    versions: list[str] = []
    for entry in text.split(","):
        tag = _TAG.fullmatch(entry)
        if tag is None:
            raise InvalidPayload("If-Match has to be * or a list of ETags")
        if (version := _VERSION.search(tag[1])) is not None:
            versions.append(version[1])
    return tuple(versions)


def refuse_versions(request: web.Request) -> None:
    """Refuse ``If-Match`` where there is no single item that it could speak of, rather than overlook it."""
    if hdrs.IF_MATCH in request.headers:
        raise InvalidPayload("If-Match is for changing or deleting one item by its key")


def once(handler: _Handler[_Handlers]) -> _Handler[_Handlers]:
    """A handler that carries a request out once for each ``Idempotency-Key``, and gives its answer again."""

    @wraps(handler)
    async def run(handlers: _Handlers, request: web.Request) -> web.StreamResponse:
        return await carried_out_once(request, lambda: handler(handlers, request))

    return run


async def carried_out_once(
    request: web.Request, carry_out: Callable[[], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The answer of a request; under an ``Idempotency-Key`` that was used before, the one given then.

    ``carry_out`` takes the key out of the context when its answer may not be kept.
    """
    given = request.headers.get(IDEMPOTENCY_KEY)
    if given is None:
        return await carry_out()
    context, keys = request[CONTEXT], request.app[IDEMPOTENCY]
    key = OnceKey(_actor(context), given, await _fingerprint(request))
    if (earlier := await keys.find(key)) is not None:
        return _again(earlier)
    context.once = key
    response = await carry_out()
    if request[CONTEXT].once is None:
        return response
    body = response.body if isinstance(response, web.Response) else None
    answer = Answer(response.status, body if isinstance(body, bytes) else b"")
    kept = await keys.keep(key, answer)
    return response if kept is answer else _again(kept)


def _again(answer: Answer) -> web.Response:
    response = raw_json(answer.body, answer.status) if answer.body else no_content()
    response.headers[REPLAYED] = "true"
    return response


def _actor(context: Context) -> str:
    caller = context.caller
    if caller.user is not None:
        return str(caller.user)
    return f"share {caller.share}" if caller.share is not None else f"anonymous {caller.ip}"


async def _fingerprint(request: web.Request) -> bytes:
    """A digest of what the request asks; a body that is not JSON is none to these handlers."""
    digest = hashlib.sha256(f"{request.method} {request.rel_url.raw_path_qs}\0".encode())
    digest.update(request.headers.get(hdrs.IF_MATCH, "").encode())
    if request.body_exists and is_json(request):
        digest.update(b"\0" + await read_raw(request))
    return digest.digest()
