"""Who is calling: a bad token fails the request before its route is looked at."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from api.keys import AUTHENTICATOR, CONTEXT, MODELS, REQUEST_ID, Context

OPEN_PATHS = frozenset({"/server/ping", "/", "/robots.txt"})


@web.middleware
async def caller(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find the caller and his rights, and fix the model this request works on."""
    if request.path in OPEN_PATHS:
        return await handler(request)
    app = request.app
    identity = await app[AUTHENTICATOR].identify(request)
    request[CONTEXT] = Context(
        request[REQUEST_ID], identity.caller, identity.rights, app[MODELS].current, identity.session
    )
    return await handler(request)
