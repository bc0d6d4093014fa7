"""`/files`: uploads, replacements and records; everything else is as for any system collection."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

import orjson
from aiohttp import web

from api.batch import delete_batch, update_batch
from api.bodies import read_json
from api.commands import command_of
from api.files.multipart import NO_FILES, is_multipart, uploads
from api.items import Raw, Written
from api.keys import CONTEXT, DATABASE, LIBRARY, SETTINGS
from api.rest.resources import SYSTEM
from api.rest.system import SystemHandlers, resource_routes
from domain.errors import Forbidden, InvalidPayload
from domain.query.text import parse_text
from domain.settings import QuerySettings
from projections.files import contents
from projections.system.guards.files import BULK
from services.files.library import FILES

RESOURCE = next(resource for resource in SYSTEM if resource.collection == FILES)


class FileHandlers(SystemHandlers):
    """The handlers of `/files`."""

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST: a form with files, or the record of one as JSON."""
        if is_multipart(request):
            return await self._upload(request)
        body = await read_json(request)
        if not isinstance(body, dict) or body.get("type") is None:
            raise InvalidPayload('"type" is required')
        return await super().create(request)

    async def update(self, request: web.Request) -> web.StreamResponse:
        """PATCH of one: a form with the new contents, or fields as JSON."""
        if is_multipart(request):
            return await self._replace(request)
        return await self._settled(request, await super().update(request))

    async def update_many(self, request: web.Request) -> web.StreamResponse:
        """PATCH of several; objects move one at a time."""
        body = await read_json(request)
        if isinstance(body, dict):
            batch = update_batch(body)
            if "filename_disk" in (batch.data or {}) and batch.keys is not None:
                raise InvalidPayload(BULK)
        return await self._settled(request, await super().update_many(request))

    async def delete_many(self, request: web.Request) -> web.StreamResponse:
        """DELETE of several, with all that they have in storage."""
        delete_batch(await read_json(request))
        return await self._settled(request, await super().delete_many(request))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """DELETE of one, with all that it has in storage."""
        return await self._settled(request, await super().delete(request))

    async def read_item(self, request: web.Request) -> web.StreamResponse:
        """GET of one; an unfinished upload is none."""
        if request.app[SETTINGS].files.tus and await contents.is_unfinished(
            request.app[DATABASE], self.key(request)
        ):
            raise Forbidden()
        return await super().read_item(request)

    async def _read(self, request: web.Request, collection: str, raw: Raw) -> web.StreamResponse:
        if request.app[SETTINGS].files.tus:
            raw = _finished_only(raw, request.app[SETTINGS].query)
        return await super()._read(request, collection, raw)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        context = request[CONTEXT]
        library = request.app[LIBRARY]
        command = await command_of(request)
        keys = [await library.store(command, context.model, upload) async for upload in uploads(request)]
        if not keys:
            raise InvalidPayload(NO_FILES)
        if len(keys) == 1:
            return await self._echo_one(request, context, FILES, Written(keys[0]))
        return await self._echo_many(request, context, FILES, sorted(keys))

    async def _replace(self, request: web.Request) -> web.StreamResponse:
        context = request[CONTEXT]
        command = await command_of(request)
        key = uuid_of(self.key(request))
        replaced = False
        async for upload in uploads(request):
            if replaced:
                raise InvalidPayload("A file is replaced by one file")
            await request.app[LIBRARY].replace(command, context.model, key, upload)
            replaced = True
        if not replaced:
            raise InvalidPayload(NO_FILES)
        return await self._echo_one(request, context, FILES, Written(key))

    async def _settled(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        await request.app[LIBRARY].objects.settle()
        return response


def _finished_only(raw: Raw, limits: QuerySettings) -> Raw:
    """A query that leaves out resumable uploads under way."""
    if isinstance(raw, str):
        raw = parse_text(raw, brackets=limits.max_parse_depth, elements=limits.array_limit)
    given = raw.get("filter")
    if isinstance(given, str):
        with suppress(orjson.JSONDecodeError):
            given = orjson.loads(given)
    finished = {"tus_id": {"_null": True}}
    if raw.get("aggregate") or (given is not None and not isinstance(given, dict)):
        return raw
    return {**raw, "filter": {"_and": [finished, given]} if given else finished}


def uuid_of(text: str) -> str:
    """A key as UUID; one that is none can't be a file's. Raises Forbidden."""
    try:
        return str(UUID(text))
    except ValueError:
        raise Forbidden() from None


def routes() -> list[web.RouteDef]:
    """The routes of `/files`."""
    return resource_routes(RESOURCE, FileHandlers(RESOURCE))
