"""The sockets' paths: whether an upgrade is taken at all, and by whom."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakSet

from aiohttp import web

from api import keys
from api.auth.claims import Claims
from api.auth.credentials import origin_of
from api.auth.limiter import Budget
from api.auth.origins import from_own_pages
from api.realtime.connection import Connection, Services
from api.realtime.events import SocketEvents
from api.realtime.graphql import PROTOCOL, GraphQLConnection
from api.realtime.hub import Hub
from api.realtime.logs import LogStream, Tap
from api.realtime.room import Sockets
from api.realtime.views import Views
from api.realtime.visitor import AuthFailed, Mode, Visitor
from domain.settings import RealtimeSettings

HUB = web.AppKey("hub", Hub)
SERVICES = web.AppKey("realtime", Services)
SOCKETS = web.AppKey("sockets", Sockets)
LOGS = web.AppKey("log sockets", Sockets)
GRAPHQL_SOCKETS = web.AppKey("graphql sockets", Sockets)
OPEN: web.AppKey[WeakSet[web.WebSocketResponse]] = web.AppKey("open sockets")
# There the handler of requests hands upgrades over.
GRAPHQL_PATH = "/graphql"
TAP = web.AppKey("tap", Tap)


def is_upgrade(request: web.Request) -> bool:
    """Whether a request asks for a WebSocket."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


async def json_socket(request: web.Request) -> web.StreamResponse:
    """The socket of JSON messages."""
    app = request.app
    settings = app[keys.SETTINGS]
    async with admitted(request, settings.realtime.rest_auth, app[SOCKETS]) as visitor:
        response = web.WebSocketResponse(autoping=True, max_msg_size=settings.server.max_payload_size)
        await _open(request, response, visitor)
        await Connection(app[SERVICES], response, visitor, Budget(settings.limiter)).run()
    return response


async def graphql_socket(request: web.Request) -> web.StreamResponse:
    """The socket of GraphQL subscriptions."""
    app = request.app
    settings, services = app[keys.SETTINGS], app[SERVICES]
    mode = settings.realtime.graphql_auth
    async with admitted(request, mode, app[GRAPHQL_SOCKETS]) as visitor:
        response = web.WebSocketResponse(protocols=(PROTOCOL,), max_msg_size=settings.server.max_payload_size)
        await _open(request, response, visitor)
        if response.ws_protocol != PROTOCOL:
            await response.close(code=4406, message=b"Subprotocol not acceptable")
            return response
        connection = GraphQLConnection(
            app[keys.GRAPHQL],
            services.hub,
            services.views,
            response,
            visitor,
            mode,
            settings.realtime.graphql_auth_timeout,
            Budget(settings.limiter),
        )
        await connection.run()
    return response


async def log_socket(request: web.Request) -> web.StreamResponse:
    """The socket of log lines, for administrators."""
    app = request.app
    settings = app[keys.SETTINGS].realtime
    async with admitted(request, "strict", app[LOGS]) as visitor:
        if not (await visitor.context()).rights.admin:
            raise web.HTTPUnauthorized
        response = web.WebSocketResponse()
        await _open(request, response, visitor)
        await LogStream(response, visitor, app[TAP], settings.logs_level, settings.logs_style).run()
    return response


async def _open(request: web.Request, response: web.WebSocketResponse, visitor: Visitor) -> None:
    await response.prepare(request)
    request.app[OPEN].add(response)
    visitor.events.begin()


@asynccontextmanager
async def admitted(request: web.Request, mode: Mode, sockets: Sockets) -> AsyncIterator[Visitor]:
    """Who wants to upgrade, signed in when a token comes along; with a place for as long as the block.

    Raises:
        HTTPNotFound: for requests that don't want a socket.
        HTTPForbidden: when there are enough of them.
        HTTPUnauthorized: for a bad token, and for none where one is needed.
    """
    if not is_upgrade(request):
        raise web.HTTPNotFound
    with sockets.place():
        visitor = await _visitor(request, mode)
        try:
            yield visitor
        finally:
            visitor.events.end()


async def _visitor(request: web.Request, mode: Mode) -> Visitor:
    app = request.app
    settings = app[keys.SETTINGS].auth
    origin = origin_of(request, settings)
    claims = Claims(app[keys.EMITTER], app[keys.AUTHENTICATOR], origin)
    visitor = Visitor(
        app[keys.AUTHENTICATOR],
        app[keys.LOGIN],
        app[keys.LIMITER],
        app[keys.MODELS],
        mode,
        origin,
        settings,
        SocketEvents(app[keys.EMITTER], claims, request.path),
    )
    # An Authorization header does not count here.
    token = request.query.get("access_token") or request.cookies.get(settings.session_cookie_name)
    if token and "access_token" not in request.query and not from_own_pages(request, app[keys.SETTINGS]):
        # A page of another site opened this socket, and the browser sent the cookie along.
        raise web.HTTPForbidden
    if token:
        try:
            await visitor.enter(token)
        except AuthFailed:
            raise web.HTTPUnauthorized from None
    elif mode == "strict":
        raise web.HTTPUnauthorized
    return visitor


def routes(settings: RealtimeSettings) -> list[web.RouteDef]:
    """The routes of the sockets that are switched on."""
    found = []
    if settings.enabled and settings.rest_enabled:
        found.append(web.get(settings.rest_path, json_socket))
    if settings.enabled and settings.logs_enabled:
        found.append(web.get(settings.logs_path, log_socket))
    if settings.enabled and settings.graphql_enabled and settings.graphql_path != GRAPHQL_PATH:
        found.append(web.get(settings.graphql_path, graphql_socket))
    return found


def socket_paths(settings: RealtimeSettings) -> frozenset[str]:
    """The paths where an upgrade finds its caller by itself."""
    if not settings.enabled:
        return frozenset()
    switched = {
        settings.rest_path: settings.rest_enabled,
        settings.logs_path: settings.logs_enabled,
        settings.graphql_path: settings.graphql_enabled,
    }
    return frozenset(path for path, on in switched.items() if on)


async def realtime(app: web.Application) -> AsyncIterator[None]:
    """The hub of the process, while the application runs; needs the other services."""
    settings = app[keys.SETTINGS].realtime
    hub = Hub(app[keys.DATABASE], app[keys.AUTHENTICATOR].rights, app[keys.MODELS])
    views = Views(app[keys.DATABASE], app[keys.READER], app[keys.ITEMS].events)
    period = settings.heartbeat_period if settings.heartbeat_enabled else None
    app[HUB] = hub
    app[SERVICES] = Services(
        hub, views, app[keys.ITEMS], app[keys.EMITTER], settings.rest_auth, settings.rest_auth_timeout, period
    )
    tap = app[TAP]
    logging.getLogger().addHandler(tap)
    running = asyncio.create_task(hub.run())
    try:
        yield
    finally:
        logging.getLogger().removeHandler(tap)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def close_sockets(app: web.Application) -> None:
    """Before the server stops: no client is waited for."""
    await asyncio.gather(*(socket.close() for socket in app[OPEN]), return_exceptions=True)


def set_up(app: web.Application) -> None:
    """Make an application speak over sockets, as its settings say; after its other services."""
    settings = app[keys.SETTINGS].realtime
    app[keys.SOCKET_PATHS] = socket_paths(settings)
    if not settings.enabled:
        return
    app[SOCKETS] = Sockets(settings.rest_limit)
    app[GRAPHQL_SOCKETS] = Sockets(settings.graphql_limit)
    app[LOGS] = Sockets(settings.logs_limit)
    app[OPEN], app[TAP] = WeakSet(), Tap()
    app.router.add_routes(routes(settings))
    app.cleanup_ctx.append(realtime)
    app.on_shutdown.append(close_sockets)
