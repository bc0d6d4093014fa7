"""The system collections under their own paths: the table of `api.rest.resources`, bound to the handlers."""

from __future__ import annotations

import re

from aiohttp import web

from api.bodies import read_object
from api.items import Raw
from api.keys import CONTEXT, ITEMS, Context
from api.responses import no_content, raw_json
from api.rest.content_versions import VersionHandlers
from api.rest.handlers import ItemHandlers
from api.rest.items import patch_singleton
from api.rest.resources import SYSTEM, Resource, Verb
from domain.errors import Forbidden, RouteNotFound

SETTINGS_COLLECTION = "directus_settings"
_UUID = re.compile(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_META = re.compile(r"meta(?:=|\[|%5[Bb]|$)")
_METHODS: dict[Verb, tuple[str, bool]] = {
    "read_list": ("GET", False),
    "search": ("SEARCH", False),
    "create": ("POST", False),
    "update_many": ("PATCH", False),
    "delete_many": ("DELETE", False),
    "read_item": ("GET", True),
    "update": ("PATCH", True),
    "delete": ("DELETE", True),
}


class SystemHandlers(ItemHandlers):
    """The handlers of one system collection."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self.search_keys = resource.search_keys

    def collection(self, request: web.Request, context: Context) -> str:
        """Always the resource's own; ``request`` and ``context`` do not matter."""
        return self._resource.collection

    async def _read(self, request: web.Request, collection: str, raw: Raw) -> web.StreamResponse:
        return await super()._read(request, collection, raw if self._resource.meta else _without_meta(raw))

    def key(self, request: web.Request) -> str:
        """The key in the path; where only UUIDs are routes, anything else is none."""
        key = super().key(request)
        if self._resource.uuid_keys and not _UUID.fullmatch(key):
            raise RouteNotFound(request.path)
        return key


class DeploymentHandlers(SystemHandlers):
    """The handlers of deployments, which go by the name of their provider."""

    async def read_item(self, request: web.Request) -> web.StreamResponse:
        """GET of one."""
        await self._find(request)
        return await super().read_item(request)

    async def update(self, request: web.Request) -> web.StreamResponse:
        """PATCH of one."""
        await self._find(request)
        return await super().update(request)

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """DELETE of one."""
        await self._find(request)
        return await super().delete(request)

    async def _find(self, request: web.Request) -> None:
        """Put the key in the place of the provider.

        Raises:
            Forbidden: when there is no such deployment.
        """
        query = {"filter": {"provider": {"_eq": request.match_info["key"]}}, "limit": 1}
        found = await request.app[ITEMS].matching(request[CONTEXT], self._resource.collection, query)
        if not found:
            raise Forbidden()
        request.match_info["key"] = found[0]


def _handlers(resource: Resource) -> ItemHandlers:
    if resource.path == "/versions":
        return VersionHandlers()
    return DeploymentHandlers(resource) if resource.path == "/deployments" else SystemHandlers(resource)


def _without_meta(raw: Raw) -> Raw:
    if isinstance(raw, str):
        return "&".join(part for part in raw.split("&") if not _META.match(part))
    return {name: value for name, value in raw.items() if name != "meta"}


async def read_settings(request: web.Request) -> web.Response:
    """GET /settings."""
    context = request[CONTEXT]
    raw = _without_meta(request.rel_url.raw_query_string)
    return raw_json(await request.app[ITEMS].read_singleton(context, SETTINGS_COLLECTION, raw))


async def patch_settings(request: web.Request) -> web.Response:
    """PATCH /settings."""
    return await patch_singleton(request, request[CONTEXT], SETTINGS_COLLECTION)


async def set_owner(request: web.Request) -> web.Response:
    """POST /settings/owner."""
    body = await read_object(request)
    names = ("project_owner", "project_usage", "org_name", "product_updates")
    payload = {name: body[name] for name in names if name in body}
    await request.app[ITEMS].upsert_singleton(request[CONTEXT], SETTINGS_COLLECTION, payload)
    return no_content()


OWN_MODULES = frozenset({"/permissions", "/files"})


def routes() -> list[web.RouteDef]:
    """Routes of all system collections but those whose handlers have a module of their own."""
    found = [
        web.get("/settings", read_settings),
        web.patch("/settings", patch_settings),
        web.post("/settings/owner", set_owner),
    ]
    for resource in SYSTEM:
        if resource.path not in OWN_MODULES:
            found.extend(resource_routes(resource, _handlers(resource)))
    return found


def resource_routes(resource: Resource, handlers: ItemHandlers) -> list[web.RouteDef]:
    """The routes of one resource, for the verbs it has."""
    return [
        web.route(method, resource.path + ("/{key:[^/]+}" if keyed else ""), getattr(handlers, verb))
        for verb, (method, keyed) in _METHODS.items()
        if verb in resource.verbs
    ]
