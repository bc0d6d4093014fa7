"""One line per request; secrets never get into it."""

from __future__ import annotations

import logging
import re
import time

from aiohttp import web
from aiohttp.typedefs import Handler

from api.keys import CONTEXT, REQUEST_ID

log = logging.getLogger("acta.requests")
REDACTED = "--redacted--"

# Bodies and headers are never logged; a URL may carry a token under these names.
_SECRET = re.compile(r"(?i)(?<![^?&])(access_token|refresh_token|token|password)=[^&#]*")


@web.middleware
async def request_log(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log method, path, status, duration, user and request id at level info."""
    began = time.perf_counter()
    response = await handler(request)
    duration = (time.perf_counter() - began) * 1000
    context = request.get(CONTEXT)
    log.info(
        "%s %s %s %.1fms",
        request.method,
        redact(request.path_qs),
        response.status,
        duration,
        extra={
            "request": str(request.get(REQUEST_ID)),
            "method": request.method,
            "path": redact(request.path_qs),
            "status": response.status,
            "duration_ms": round(duration, 2),
            "user": str(context.caller.user) if context and context.caller.user else None,
            "ip": context.caller.ip if context else None,
        },
    )
    return response


def redact(url: str) -> str:
    """A path with query string, tokens and passwords replaced."""
    return _SECRET.sub(lambda match: f"{match[1]}={REDACTED}", url)
