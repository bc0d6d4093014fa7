"""`/graphql` and `/graphql/system`: what a request may look like, and the form of its answer (section 1)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import hdrs, web
from graphql import OperationType

from api.bodies import read_json
from api.graphql.documents import Document
from api.graphql.kept import Asked
from api.graphql.operations import COOKIES
from api.graphql.persisted import Persisted
from api.graphql.run import Engine
from api.graphql.sdl import sdl
from api.keys import CONTEXT, GRAPHQL, SETTINGS, SOCKET_PATHS
from api.once import carried_out_once, refuse_versions
from api.realtime.routes import graphql_socket, is_upgrade
from api.responses import PLAIN, failure, raw_json
from domain.errors import InvalidPayload, InvalidQuery, RouteNotFound
from domain.graphql.errors import GraphQLExecution, MethodNotAllowed
from domain.graphql.outline import Scope

MEDIA_TYPE = "application/graphql-response+json"


async def items(request: web.Request) -> web.StreamResponse:
    """`/graphql`, whatever stands behind it; an upgrade there is for subscriptions."""
    if request.path in request.app[SOCKET_PATHS] and is_upgrade(request):
        return await graphql_socket(request)
    return await _handle(request, "items")


async def system(request: web.Request) -> web.StreamResponse:
    """`/graphql/system`."""
    return await _handle(request, "system")


async def _handle(request: web.Request, scope: Scope) -> web.StreamResponse:
    if request.method == "POST":
        given = await read_json(request)
    elif request.method in ("GET", "HEAD"):
        given = _from_url(request)
    else:
        return _not_allowed(["GET", "POST"], request.method)
    engine = request.app[GRAPHQL]
    asked = _asked(given, engine.persisted)
    document = await engine.document(request[CONTEXT], scope, asked.text)
    operation = document.operation(asked.operation)
    if operation is None or operation.operation != OperationType.MUTATION:
        return await _answer(request, engine, document, asked)
    if request.method != "POST":
        return _not_allowed(["POST"], request.method)
    refuse_versions(request)
    return await carried_out_once(request, lambda: _answer(request, engine, document, asked))


async def _answer(request: web.Request, engine: Engine, document: Document, asked: Asked) -> web.Response:
    response = raw_json(await engine.run(request, document, asked))
    for answered in request.get(COOKIES, ()):
        response.cookies.update(answered.cookies)
    if MEDIA_TYPE in request.headers.get(hdrs.ACCEPT, ""):
        response.headers[hdrs.CONTENT_TYPE] = f"{MEDIA_TYPE}; charset=utf-8"
    return response


def _from_url(request: web.Request) -> dict[str, Any]:
    given: dict[str, Any] = dict(request.query)
    for name in ("variables", "extensions"):
        if given.get(name):
            try:
                given[name] = orjson.loads(given[name])
            except orjson.JSONDecodeError:
                raise InvalidQuery(f'Invalid JSON in "{name}"') from None
        else:
            given.pop(name, None)
    return given


def _asked(given: Any, persisted: Persisted) -> Asked:
    if not isinstance(given, dict):
        raise InvalidPayload("Must provide a query string")
    text = persisted.text(given.get("extensions"), given.get("query"))
    if not isinstance(text, str) or not text.strip():
        raise InvalidPayload("Must provide a query string")
    variables, operation = given.get("variables"), given.get("operationName")
    if variables is not None and not isinstance(variables, dict):
        raise GraphQLExecution(["Variables must be an object."])
    try:
        orjson.dumps(variables)
    except orjson.JSONEncodeError:
        raise GraphQLExecution(["Variables are nested too deeply."]) from None
    if operation is not None and not isinstance(operation, str):
        raise GraphQLExecution(["The operation name must be a string."])
    return Asked(text, variables or {}, operation or None)


def _not_allowed(allowed: list[str], current: str) -> web.Response:
    response = failure(MethodNotAllowed(allowed, current))
    response.headers[hdrs.ALLOW] = ", ".join(allowed)
    return response


async def specification(request: web.Request) -> web.Response:
    """GET /server/specs/graphql: the SDL of the caller's schema, as a file."""
    scope = request.match_info.get("scope") or "items"
    if scope not in ("items", "system") or not request.app[SETTINGS].graphql.introspection:
        raise RouteNotFound(request.path)
    context = request[CONTEXT]
    schema = await request.app[GRAPHQL].schemas.of(
        context.model, context.rights, "system" if scope == "system" else "items"
    )
    text = await asyncio.to_thread(sdl, schema)
    name = f"{scope}_{datetime.now(UTC):%Y%m%d-%H%M%S}.graphql"
    headers = {**PLAIN, "Content-Type": "application/octet-stream"}
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return web.Response(body=text.encode(), headers=headers)


def routes() -> list[web.RouteDef]:
    """The routes of GraphQL."""
    return [
        web.get("/server/specs/graphql", specification),
        web.get("/server/specs/graphql/{scope}", specification),
        web.route("*", "/graphql/system", system),
        web.route("*", "/graphql", items),
        web.route("*", "/graphql/{rest:.*}", items),
    ]
