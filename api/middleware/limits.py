"""Refuses requests beyond the rate that the settings allow, before anything else is done for them."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from api.auth.addresses import address_of
from api.keys import LIMITER, SETTINGS


@web.middleware
async def limits(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request."""
    await request.app[LIMITER].request(address_of(request, request.app[SETTINGS].auth))
    return await handler(request)
