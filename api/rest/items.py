"""`/items/{collection}`: the user's own collections, singletons among them."""

from __future__ import annotations

from aiohttp import web

from api.bodies import read_json
from api.items import Written
from api.keys import CONTEXT, ITEMS, Context
from api.once import expected_versions, once
from api.responses import item_json, no_content
from api.rest.content_versions import Wanted, read_as, wanted_version
from api.rest.handlers import ItemHandlers
from domain.errors import Forbidden, InvalidPayload, RouteNotFound
from domain.model.schema import Collection

PATH = "/items/{collection}"
SYSTEM_PREFIX = "directus_"


class CollectionHandlers(ItemHandlers):
    """The handlers with the collection's name in the path; singletons allow fewer verbs."""

    def collection(self, request: web.Request, context: Context) -> str:
        """The collection named in the path, if it is there and not a system collection."""
        return self._found(request, context).name

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST; a singleton has no such route."""
        self._refuse_singleton(request)
        return await super().create(request)

    async def update(self, request: web.Request) -> web.StreamResponse:
        """PATCH by key; a singleton has no such route."""
        self._refuse_singleton(request)
        return await super().update(request)

    async def update_many(self, request: web.Request) -> web.StreamResponse:
        """PATCH on the collection; for a singleton the upsert of its one row."""
        context = request[CONTEXT]
        found = self._found(request, context)
        if not found.singleton:
            return await super().update_many(request)
        return await self._patch_singleton(request)

    @once
    async def _patch_singleton(self, request: web.Request) -> web.StreamResponse:
        wanted = wanted_version(request)
        return await patch_singleton(request, request[CONTEXT], request.match_info["collection"], wanted)

    async def read_list(self, request: web.Request) -> web.StreamResponse:
        """GET; of a singleton perhaps as one of its content versions has it."""
        wanted = wanted_version(request)
        if wanted is not None and self._found(request, request[CONTEXT]).singleton:
            return await read_as(request, wanted, request.match_info["collection"], None)
        return await super().read_list(request)

    async def read_item(self, request: web.Request) -> web.StreamResponse:
        """GET by key, perhaps as one of its content versions has it."""
        wanted = wanted_version(request)
        if wanted is None:
            return await super().read_item(request)
        collection = self.collection(request, request[CONTEXT])
        return await read_as(request, wanted, collection, self.key(request))

    async def _echo_one(
        self, request: web.Request, context: Context, collection: str, written: Written
    ) -> web.Response:
        wanted = wanted_version(request) if request.method == "PATCH" else None
        if wanted is None or written.key is None:
            return await super()._echo_one(request, context, collection, written)
        return await _version_read(request, wanted, collection, written.key)

    def _found(self, request: web.Request, context: Context) -> Collection:
        name = request.match_info["collection"]
        if name.startswith(SYSTEM_PREFIX):
            raise Forbidden()
        found = context.model.collections.get(name)
        if found is None or found.system:
            raise Forbidden.collection(name)
        return found

    def _refuse_singleton(self, request: web.Request) -> None:
        if self._found(request, request[CONTEXT]).singleton:
            raise RouteNotFound(request.path.removeprefix("/items"))


async def _version_read(
    request: web.Request, wanted: Wanted, collection: str, key: str | None
) -> web.Response:
    """The item that was written, as one of its content versions has it; nothing where that can't be read."""
    try:
        return await read_as(request, wanted, collection, key)
    except Forbidden:
        return no_content()


async def patch_singleton(
    request: web.Request, context: Context, collection: str, wanted: Wanted | None = None
) -> web.Response:
    """Upsert the one row and answer it, or nothing when the caller can't read it."""
    body = await read_json(request)
    if not isinstance(body, dict):
        raise InvalidPayload('"value" must be of type object')
    items = request.app[ITEMS]
    await items.upsert_singleton(context, collection, body, expected_versions(request))
    if wanted is not None:
        return await _version_read(request, wanted, collection, None)
    try:
        answer, version = await items.read_singleton_version(
            context, collection, request.rel_url.raw_query_string
        )
    except Forbidden:
        return no_content()
    return item_json(answer or b"", version)


def routes() -> list[web.RouteDef]:
    """The routes of `/items`."""
    return item_routes(PATH, CollectionHandlers())


def item_routes(path: str, handlers: ItemHandlers) -> list[web.RouteDef]:
    """All verbs of the generic handlers below a path."""
    key = path + "/{key:[^/]+}"
    return [
        web.get(path, handlers.read_list),
        web.route("SEARCH", path, handlers.search),
        web.post(path, handlers.create),
        web.patch(path, handlers.update_many),
        web.delete(path, handlers.delete_many),
        web.get(key, handlers.read_item),
        web.patch(key, handlers.update),
        web.delete(key, handlers.delete),
    ]
