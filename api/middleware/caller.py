"""Who is calling: a bad token fails the request before its route is looked at."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from api.auth.cookies import set_cookie
from api.auth.credentials import token_of
from api.keys import AUTHENTICATOR, CONTEXT, MODELS, REQUEST_ID, SETTINGS, Context
from api.responses import failure
from domain.errors import InvalidCredentials, InvalidToken

OPEN_PATHS = frozenset({"/server/ping", "/", "/robots.txt"})


@web.middleware
async def caller(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find the caller and his rights, and fix the model this request works on."""
    if request.path in OPEN_PATHS:
        return await handler(request)
    app = request.app
    try:
        identity = await app[AUTHENTICATOR].identify(request)
    except (InvalidCredentials, InvalidToken) as error:
        return _refused(request, error)
    request[CONTEXT] = Context(
        request[REQUEST_ID], identity.caller, identity.rights, app[MODELS].current, identity.session
    )
    return await handler(request)


def _refused(request: web.Request, error: InvalidCredentials | InvalidToken) -> web.Response:
    # A browser would send its useless cookie for ever.
    response = failure(error)
    settings = request.app[SETTINGS].auth
    _, from_cookie = token_of(request, settings.session_cookie_name)
    if from_cookie:
        set_cookie(response, "", "session", settings)
    return response
