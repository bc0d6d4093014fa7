"""Operations of the server in ``/graphql/system``: each is a request to the REST handler that has it.

Neither checks nor services are repeated here. What REST answers with is the value; cookies that it sets are
set on the answer of GraphQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
from aiohttp import web
from graphql import GraphQLResolveInfo
from multidict import CIMultiDict

from api.auth.addresses import address_of
from api.graphql.sdl import sdl
from api.keys import CONTEXT, GRAPHQL, LIMITER, SETTINGS
from domain.errors import Forbidden, InternalError, RouteNotFound
from domain.model.metadata_rows import COLLECTION_META, FIELD_META, RELATION_META
from domain.settings import Settings

Resolver = Callable[..., Awaitable[Any]]
Take = Callable[[Any, Mapping[str, Any]], Any]
COOKIES: web.RequestKey[list[web.StreamResponse]] = web.RequestKey("cookies of operations", list)


def _data(answer: Any, _: Mapping[str, Any]) -> Any:
    return answer["data"]


def _whole(answer: Any, _: Mapping[str, Any]) -> Any:
    return answer


def _true(_: Any, __: Mapping[str, Any]) -> bool:
    return True


def _nothing(_: Any, __: Mapping[str, Any]) -> None:
    return None


def _named(_: Any, given: Mapping[str, Any]) -> Mapping[str, Any]:
    return given


def _described(defaults: Mapping[str, Any]) -> Take:
    """Parts of the model: those of the system hold less than their types promise."""

    def complete(entry: dict[str, Any]) -> dict[str, Any]:
        return entry if entry["meta"] is None else {**entry, "meta": {**defaults, **entry["meta"]}}

    def take(answer: Any, _: Mapping[str, Any]) -> Any:
        found = answer["data"]
        return [complete(entry) for entry in found] if isinstance(found, list) else complete(found)

    return take


def _first(answer: Any, _: Mapping[str, Any]) -> Any:
    return answer["data"][0] if answer["data"] else None


@dataclass(frozen=True, slots=True)
class Call:
    """A request to REST: ``{name}`` in the path are arguments, the others make body or query string.

    ``body`` names an argument that is the whole body. ``signed_in`` answers null to anonymous callers.
    """

    method: str
    path: str
    take: Take = _data
    body: str | None = None
    signed_in: bool = False


CALLS: Mapping[str, Call] = {
    "server_info": Call("GET", "/server/info"),
    "server_health": Call("GET", "/server/health", _whole),
    "server_specs_oas": Call("GET", "/server/specs/oas", _whole),
    "collections": Call("GET", "/collections", _described(COLLECTION_META)),
    "collections_by_name": Call("GET", "/collections/{name}", _described(COLLECTION_META)),
    "fields": Call("GET", "/fields", _described(FIELD_META)),
    "fields_in_collection": Call("GET", "/fields/{collection}", _described(FIELD_META)),
    "fields_by_name": Call("GET", "/fields/{collection}/{field}", _described(FIELD_META)),
    "relations": Call("GET", "/relations", _described(RELATION_META)),
    "relations_in_collection": Call("GET", "/relations/{collection}", _described(RELATION_META)),
    "relations_by_name": Call("GET", "/relations/{collection}/{field}", _described(RELATION_META)),
    "permissions_me": Call("GET", "/permissions/me"),
    "policies_me_globals": Call("GET", "/policies/me/globals"),
    "auth_login": Call("POST", "/auth/login"),
    "auth_refresh": Call("POST", "/auth/refresh"),
    "auth_logout": Call("POST", "/auth/logout", _true),
    "auth_password_request": Call("POST", "/auth/password/request", _true),
    "auth_password_reset": Call("POST", "/auth/password/reset", _true),
    "users_me_tfa_generate": Call("POST", "/users/me/tfa/generate", signed_in=True),
    "users_me_tfa_enable": Call("POST", "/users/me/tfa/enable", _true, signed_in=True),
    "users_me_tfa_disable": Call("POST", "/users/me/tfa/disable", _true, signed_in=True),
    "utils_random_string": Call("GET", "/utils/random/string"),
    "utils_hash_generate": Call("POST", "/utils/hash/generate"),
    "utils_hash_verify": Call("POST", "/utils/hash/verify"),
    "utils_sort": Call("POST", "/utils/sort/{collection}", _true),
    "utils_revert": Call("POST", "/utils/revert/{revision}", _true),
    "utils_cache_clear": Call("POST", "/utils/cache/clear", _nothing),
    "users_invite": Call("POST", "/users/invite", _true),
    "users_invite_accept": Call("POST", "/users/invite/accept", _true),
    "users_register": Call("POST", "/users/register", _true),
    "users_register_verify": Call("GET", "/users/register/verify-email", _true),
    "create_collections_item": Call("POST", "/collections", body="data"),
    "update_collections_item": Call("PATCH", "/collections/{collection}", body="data"),
    "delete_collections_item": Call("DELETE", "/collections/{collection}", _named),
    "create_fields_item": Call("POST", "/fields/{collection}", body="data"),
    "update_fields_item": Call("PATCH", "/fields/{collection}/{field}", body="data"),
    "update_fields_items": Call("PATCH", "/fields/{collection}", _first, body="data"),
    "delete_fields_item": Call("DELETE", "/fields/{collection}/{field}", _named),
    "create_relations_item": Call("POST", "/relations", body="data"),
    "update_relations_item": Call("PATCH", "/relations/{collection}/{field}", body="data"),
    "delete_relations_item": Call("DELETE", "/relations/{collection}/{field}", _named),
}


def resolvers() -> Mapping[str, Resolver]:
    """The functions behind the operations, by name."""
    found: dict[str, Resolver] = {name: _calling(call) for name, call in CALLS.items()}
    found["server_ping"] = _ping
    found["server_specs_graphql"] = _sdl
    found["extensions"] = _extensions
    found["update_extensions_item"] = _no_extension
    return found


async def rest(request: web.Request, method: str, path: str, body: Any, query: Mapping[str, Any]) -> Any:
    """What the REST handler of a path answers, as JSON; None without content.

    Each counts as a request of its own, else one document would try hundreds of passwords.

    Raises:
        ActaError: what the handler refuses.
        RequestsExceeded
    """
    await request.app[LIMITER].request(address_of(request, request.app[SETTINGS].auth))
    content = orjson.dumps(body)
    headers = CIMultiDict(request.headers)
    headers.update({"Content-Type": "application/json", "Content-Length": str(len(content))})
    headers.popall("Content-Encoding", None)
    inner = _copy(request, method, path, query, headers, content)
    found = await request.app.router.resolve(inner)
    if found.http_exception is not None:
        raise RouteNotFound(path)
    found.add_app(request.app)
    found.current_app = request.app
    inner._match_info = found
    response = await found.handler(inner)
    if not isinstance(response, web.Response):
        raise InternalError()
    if response.cookies:
        request.setdefault(COOKIES, []).append(response)
    return orjson.loads(response.body) if isinstance(response.body, bytes) and response.body else None


def _copy(
    request: web.Request,
    method: str,
    path: str,
    query: Mapping[str, Any],
    headers: CIMultiDict[str],
    content: bytes,
) -> web.Request:
    """The request with another target and body. aiohttp copies none whose body was read."""
    read, request._read_bytes = request._read_bytes, None
    url = request.rel_url.with_path(path, encoded=True).with_query({name: str(query[name]) for name in query})
    try:
        inner = request.clone(method=method, rel_url=url, headers=headers)
    finally:
        request._read_bytes = read
    inner._read_bytes = content
    return inner


def _calling(call: Call) -> Resolver:
    async def resolve(_: Any, info: GraphQLResolveInfo, **given: Any) -> Any:
        request: web.Request = info.context
        if call.signed_in and request[CONTEXT].caller.user is None:
            return None
        concurrently = given.pop("concurrentIndexCreation", None)
        named = {name: given.pop(name) for name in list(given) if f"{{{name}}}" in call.path}
        path = call.path.format(**{name: quote(str(value), safe="") for name, value in named.items()})
        rest_of = {name: value for name, value in given.items() if value is not None}
        query: dict[str, Any] = {"concurrentIndexCreation": "true"} if concurrently else {}
        body: Any = given.get(call.body) if call.body else rest_of
        if call.method == "GET":
            query, body = rest_of, {}
        answer = await rest(request, call.method, path, body, query)
        return call.take(answer, named)

    return resolve


async def _ping(_: Any, __: GraphQLResolveInfo) -> str:
    return "pong"


async def _sdl(_: Any, info: GraphQLResolveInfo, scope: Any = None) -> str | None:
    request: web.Request = info.context
    if not request.app[SETTINGS].graphql.introspection:
        return None
    context = request[CONTEXT]
    schema = await request.app[GRAPHQL].schemas.of(
        context.model, context.rights, "system" if scope is not None and scope.value == "system" else "items"
    )
    return await asyncio.to_thread(sdl, schema)


async def _extensions(_: Any, __: GraphQLResolveInfo) -> list[Any]:
    return []


async def _no_extension(_: Any, __: GraphQLResolveInfo, **given: Any) -> None:
    raise Forbidden()


def turned_off(settings: Settings) -> frozenset[str]:
    """The members of `server_info` that are but a Boolean, for what this server does not do."""
    rates, sockets = settings.limiter, settings.realtime
    members = {
        "server_info.rateLimit": rates.enabled,
        "server_info.rateLimitGlobal": rates.global_enabled,
        "server_info.websocket": sockets.enabled,
        "server_info_websocket.rest": sockets.rest_enabled,
        "server_info_websocket.graphql": sockets.graphql_enabled,
        "server_info_websocket.heartbeat": sockets.heartbeat_enabled,
    }
    return frozenset(name for name, there in members.items() if not there)
