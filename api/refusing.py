"""Requests as hooks and flows see them: the errors they are answered with, and that they were answered."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from yarl import URL

from api.auth.addresses import address_of
from api.keys import CONTEXT, EMITTER, SETTINGS
from api.responses import entries_of, failure
from api.restating import restate_all
from domain.access.caller import Caller
from domain.errors import ActaError, ErrorGroup, ServiceUnavailable
from domain.log_lines import REDACTED, redact

log = logging.getLogger("acta.api")

ERROR: Final = "request.error"
NOT_FOUND: Final = "request.not_found"
RESPONSE: Final = "response"
_SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "set-cookie"})


async def refusal(request: web.Request, error: ActaError | ErrorGroup) -> web.Response:
    """The error envelope, as filters of ``database.error`` and then ``request.error`` leave it; the status
    stays."""
    await restate_all(request, [error])
    # Without a database there is nobody to ask.
    if isinstance(error, ServiceUnavailable):
        return failure(error)
    found = await _asked(request, ERROR, entries_of(error), {})
    usable = isinstance(found, list) and found and all(isinstance(entry, dict) for entry in found)
    return failure(error, found if usable else None)


async def is_handled(request: web.Request) -> bool:
    """Whether a filter of ``request.not_found`` says that there is nothing to answer."""
    return await _asked(request, NOT_FOUND, False, {"request": described(request)}) is True


async def _asked(request: web.Request, event: str, payload: Any, members: dict[str, Any]) -> Any:
    emitter = request.app[EMITTER]
    try:
        if not await emitter.asks(event):
            return payload
        return await emitter.filter(event, (event,), payload, members, _caller(request))
    except Exception as error:  # noqa: BLE001 (whatever a filter does, the request is answered)
        log.warning("a filter of %s failed: %s: %s", event, type(error).__name__, error)
        return payload


def tell_response(request: web.Request, response: web.StreamResponse, began: float) -> None:
    """Tell whoever listens that a request was answered; ``began`` is by the clock of `time.perf_counter`."""
    meta = {
        "request": described(request),
        "response": {
            "status": response.status,
            "size": response.content_length,
            "headers": _headers(response.headers),
        },
        "ip": address_of(request, request.app[SETTINGS].auth),
        "duration": f"{(time.perf_counter() - began) * 1000:.2f}",
        "finished": True,
    }
    request.app[EMITTER].act((RESPONSE,), meta, _caller(request))


def described(request: web.Request, *, whole: bool = False) -> dict[str, Any]:
    """A request; unless ``whole`` without what proves who sends it."""
    url = request.path_qs if whole else redact(request.path_qs)
    return {
        "method": request.method,
        "url": url,
        "path": request.path,
        "protocol": request.scheme,
        "host": request.host,
        "size": request.content_length,
        "query": dict(URL(url, encoded=True).query),
        "headers": _headers(request.headers, whole=whole),
    }


def _headers(headers: Mapping[str, str], *, whole: bool = False) -> dict[str, str]:
    # Bytes that are no text came in as lone surrogates.
    return {
        name.lower(): REDACTED
        if name.lower() in _SECRET_HEADERS and not whole
        else value.encode("utf-8", "replace").decode()
        for name, value in headers.items()
    }


def _caller(request: web.Request) -> Caller | None:
    context = request.get(CONTEXT)
    return None if context is None else context.caller
