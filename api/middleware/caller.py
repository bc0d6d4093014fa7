"""Who is calling: a bad token fails the request before its route is looked at."""

from __future__ import annotations

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from api.auth.claims import claim_of
from api.auth.cookies import set_cookie
from api.auth.credentials import token_of
from api.auth.origins import require_same_site
from api.auth.tokens import claims_to_be_ours
from api.keys import (
    AUTHENTICATOR,
    CONTEXT,
    MODELS,
    REQUEST_ID,
    SESSIONS,
    SETTINGS,
    SIGNER,
    SOCKET_PATHS,
    Context,
)
from api.refusing import refusal
from domain.errors import InvalidCredentials, InvalidToken

UPGRADE = hdrs.UPGRADE
REFRESH = "/auth/refresh"
OPEN_PATHS = frozenset({"/server/ping", "/", "/robots.txt"})
# Where pages for people stand, if anything is put there: they come before any login.
ADMIN = "/admin"


@web.middleware
async def caller(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find the caller and his rights, and fix the model this request works on."""
    app = request.app
    if _is_open(request):
        return await handler(request)
    # What a filter refuses says nothing of the token, or of the cookie that it is in.
    claimed = await claim_of(request)
    try:
        identity = claimed or await app[AUTHENTICATOR].identify(request)
    except (InvalidCredentials, InvalidToken) as error:
        return await _refused(request, error)
    if claimed is None and token_of(request, app[SETTINGS].auth.session_cookie_name)[1]:
        require_same_site(request, app[SETTINGS])
    request[CONTEXT] = Context(
        request[REQUEST_ID], identity.caller, identity.rights, app[MODELS].current, identity.session
    )
    return await handler(request)


def _is_open(request: web.Request) -> bool:
    path = request.path
    if path in OPEN_PATHS or path == ADMIN or path.startswith(f"{ADMIN}/"):
        return True
    return path in request.app[SOCKET_PATHS] and UPGRADE in request.headers


async def _refused(request: web.Request, error: InvalidCredentials | InvalidToken) -> web.Response:
    response = await refusal(request, error)
    settings = request.app[SETTINGS].auth
    token, from_cookie = token_of(request, settings.session_cookie_name)
    if from_cookie:
        # A browser would send its useless cookie for ever.
        set_cookie(response, "", "session", settings)
        if token and isinstance(error, InvalidCredentials) and request.path == REFRESH:
            await _ended_twice(request, token)
    return response


async def _ended_twice(request: web.Request, token: str) -> None:
    """Of a session that somebody else has carried on, that ends too."""
    if claims_to_be_ours(token):
        claims = request.app[SIGNER].read(token)
        await request.app[SESSIONS].sent_again(str(claims.get("session")))
