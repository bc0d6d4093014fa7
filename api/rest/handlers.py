"""The handlers that `/items/{collection}` and the system collections share: parse, call, shape.

A class binds them to where the collection's name comes from. What a request may do at all is the table in
`api.rest.resources`; what it may touch is decided by plan (reads) and item writer (writes).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from api.batch import Batch, delete_batch, read_batch, update_batch
from api.bodies import read_json
from api.items import Items, Raw, Written
from api.keys import CONTEXT, ITEMS, SETTINGS, Context
from api.once import expected_versions, once, refuse_versions
from api.responses import item_json, no_content, raw_json
from api.rest.exports import answer_export, wanted_format
from api.rest.streams import is_large, stream_export
from domain.errors import Forbidden, InvalidPayload
from domain.query.text import parse_text

EMPTY_LIST = b'{"data":[]}'


class ItemHandlers:
    """Handlers of one resource."""

    search_keys = True

    def collection(self, request: web.Request, context: Context) -> str:
        """The collection a request is about.

        Raises:
            Forbidden: when it can't be reached this way.
        """
        raise NotImplementedError

    def query(self, request: web.Request) -> str:
        """The query string as sent."""
        return request.rel_url.raw_query_string

    async def read_list(self, request: web.Request) -> web.StreamResponse:
        """GET on the collection."""
        context = request[CONTEXT]
        return await self._read(request, self.collection(request, context), self.query(request))

    async def search(self, request: web.Request) -> web.StreamResponse:
        """SEARCH: the query, and perhaps keys, in the body."""
        context = request[CONTEXT]
        collection = self.collection(request, context)
        batch = await self._search_body(request)
        raw: Raw = self.query(request) if batch.query is None else batch.query
        if batch.keys is None:
            return await self._read(request, collection, raw)
        if not batch.keys:
            return raw_json(EMPTY_LIST)
        return raw_json(await request.app[ITEMS].read_many(context, collection, batch.keys, raw))

    async def read_item(self, request: web.Request) -> web.StreamResponse:
        """GET of one item; whatever keeps it from being seen is the same 403."""
        context = request[CONTEXT]
        collection = self.collection(request, context)
        raw = self.query(request)
        items = request.app[ITEMS]
        body, version = await items.read_version(context, collection, self.key(request), raw)
        if body is None:
            raise Forbidden()
        if (form := wanted_format(raw)) is not None:
            return answer_export(body, collection, form, context.model)
        return item_json(body, version)

    @once
    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST of one item or an array of them."""
        refuse_versions(request)
        context = request[CONTEXT]
        collection = self.collection(request, context)
        body = await read_json(request)
        items = request.app[ITEMS]
        if isinstance(body, list):
            keys = await items.create(context, collection, _payloads(body))
            return await self._echo_many(request, context, collection, keys)
        written = await items.create_one(context, collection, body, self.query(request))
        return await self._echo_one(request, context, collection, written)

    @once
    async def update_many(self, request: web.Request) -> web.StreamResponse:
        """PATCH on the collection: an array of different changes, or one change to many."""
        refuse_versions(request)
        context = request[CONTEXT]
        collection = self.collection(request, context)
        items = request.app[ITEMS]
        body = await read_json(request)
        if isinstance(body, list):
            keys = await items.update_each(context, collection, _payloads(body))
        else:
            batch = update_batch(body)
            wanted = await _selected(items, context, collection, batch)
            if batch.query is not None and not wanted and context.rights.may(collection, "update"):
                return raw_json(EMPTY_LIST)
            keys = await items.update(context, collection, wanted, batch.data or {})
        return await self._echo_many(request, context, collection, keys)

    @once
    async def update(self, request: web.Request) -> web.StreamResponse:
        """PATCH of one item."""
        context = request[CONTEXT]
        collection = self.collection(request, context)
        body = await read_json(request)
        if isinstance(body, list):
            raise InvalidPayload('"value" must be of type object')
        written = await request.app[ITEMS].update_one(
            context, collection, self.key(request), body, self.query(request), expected_versions(request)
        )
        return await self._echo_one(request, context, collection, written)

    @once
    async def delete_many(self, request: web.Request) -> web.StreamResponse:
        """DELETE by keys or by query."""
        refuse_versions(request)
        context = request[CONTEXT]
        collection = self.collection(request, context)
        items = request.app[ITEMS]
        keys = await _selected(items, context, collection, delete_batch(await read_json(request)))
        await items.delete(context, collection, keys)
        return no_content()

    @once
    async def delete(self, request: web.Request) -> web.StreamResponse:
        """DELETE of one item."""
        context = request[CONTEXT]
        collection = self.collection(request, context)
        expected = expected_versions(request)
        await request.app[ITEMS].delete(context, collection, [self.key(request)], expected)
        return no_content()

    def key(self, request: web.Request) -> str:
        """The item's key in the path."""
        return request.match_info["key"]

    async def _search_body(self, request: web.Request) -> Batch:
        body = await read_json(request)
        if self.search_keys:
            return read_batch(body)
        # These resources look at the query alone, whatever else the body holds.
        if not isinstance(body, dict):
            raise InvalidPayload('"value" must be of type object')
        query = body.get("query")
        return Batch(query=query if isinstance(query, dict) else None)

    async def _read(self, request: web.Request, collection: str, raw: Raw) -> web.StreamResponse:
        context = request[CONTEXT]
        items = request.app[ITEMS]
        form = wanted_format(raw)
        if form is not None and is_large(request, context, collection, raw):
            return await stream_export(request, collection, raw, form)
        found = context.model.collections.get(collection)
        if form is None and found is not None and found.singleton:
            answer, version = await items.read_singleton_version(context, collection, raw)
            return item_json(answer or b"", version)
        body = await items.read(context, collection, raw)
        return raw_json(body) if form is None else answer_export(body, collection, form, context.model)

    async def _echo_one(
        self, request: web.Request, context: Context, collection: str, written: Written
    ) -> web.Response:
        # Written but not readable is a success without content.
        if written.answer is not None:
            return item_json(written.answer, written.version)
        if written.key is None:
            return no_content()
        try:
            answer, version = await request.app[ITEMS].read_version(
                context, collection, written.key, self.query(request)
            )
        except Forbidden:
            return no_content()
        return no_content() if answer is None else item_json(answer, version)

    async def _echo_many(
        self, request: web.Request, context: Context, collection: str, keys: list[str]
    ) -> web.Response:
        if not keys:
            return raw_json(EMPTY_LIST)
        try:
            return raw_json(
                await request.app[ITEMS].read_many(context, collection, keys, self.query(request))
            )
        except Forbidden:
            return no_content()


def raw_query(request: web.Request, text: str) -> dict[str, Any]:
    """The parameters of a query string, for handlers that change some of them."""
    limits = request.app[SETTINGS].query
    return parse_text(text, brackets=limits.max_parse_depth, elements=limits.array_limit)


async def _selected(items: Items, context: Context, collection: str, batch: Batch) -> list[str]:
    if batch.keys is not None:
        return batch.keys
    return await items.matching(context, collection, batch.query or {})


def _payloads(body: list[Any]) -> list[dict[str, Any]]:
    for entry in body:
        if not isinstance(entry, Mapping):
            raise InvalidPayload("Each item of the array has to be an object")
    return body
