"""One line per request; secrets never get into it."""

from __future__ import annotations

import logging
import time

from aiohttp import web
from aiohttp.typedefs import Handler

from api.keys import CONTEXT, REQUEST_ID
from domain.log_lines import redact

log = logging.getLogger("acta.requests")


@web.middleware
async def request_log(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log method, path, status, duration, user and request id at level info; never bodies and headers."""
    began = time.perf_counter()
    response = await handler(request)
    duration = (time.perf_counter() - began) * 1000
    context = request.get(CONTEXT)
    path = redact(request.path_qs)
    log.info(
        "%s %s %s %.1fms",
        request.method,
        path,
        response.status,
        duration,
        extra={
            "request": str(request.get(REQUEST_ID)),
            "method": request.method,
            "path": path,
            "status": response.status,
            "duration_ms": round(duration, 2),
            "user": str(context.caller.user) if context and context.caller.user else None,
            "ip": context.caller.ip if context else None,
        },
    )
    return response
