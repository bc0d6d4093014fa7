"""Mutations of items: the commands of REST, the answers read by plan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web
from graphql.language.ast import FieldNode

from api.graphql.answers import dumps
from api.graphql.compile import Compiled, Compiler
from api.graphql.operations import rest
from api.graphql.shown import asked_root
from api.items import Items
from api.keys import Context
from domain.errors import ActaError, ErrorGroup, Forbidden, InvalidPayload
from domain.graphql.roots import Root

Value = bytes | ActaError | ErrorGroup | None
ReadOne = Callable[[Context, Compiled], Awaitable[Value]]
EMPTY = b"[]"
USERS, FILES = "directus_users", "directus_files"
OWN = frozenset({"update_users_me", "import_file"})
"""Mutations of the server that answer with an item."""


class Mutations:
    """The mutations of one operation."""

    def __init__(self, items: Items, compiler: Compiler, read: ReadOne, request: web.Request) -> None:
        self._request = request
        self._items = items
        self._compiler = compiler
        self._read = read

    async def run(
        self,
        context: Context,
        root: Root | None,
        asked: str,
        nodes: Sequence[FieldNode],
        given: dict[str, Any],
    ) -> Value:
        """Carry out one root field; its JSON, None for an item that can't be read, or an error."""
        if root is None:
            return await (self._update_me if asked == "update_users_me" else self._import)(
                context, nodes, given
            )
        name, data = root.collection, given.get("data")
        if root.kind == "delete_one":
            await self._items.delete(context, name, [str(given["id"])])
            return self._deleted(nodes, "delete_one", "id", str(given["id"]))
        if root.kind == "delete_many":
            keys = _keys(given["ids"])
            await self._items.delete(context, name, keys)
            return self._deleted(nodes, "delete_many", "ids", keys)
        if root.kind == "create_one":
            key = (await self._items.create(context, name, [_payload(data)]))[0]
            return await self._one(context, root, nodes, key)
        if root.kind == "update_one":
            key = str(given["id"])
            await self._items.update(context, name, [key], self._without_key(name, _payload(data)))
            return await self._one(context, root, nodes, key)
        if root.kind == "update_singleton":
            await self._items.upsert_singleton(context, name, _payload(data))
            if not root.readable:
                return b"true"
            query = await self._asked(context, root, nodes, {})
            return await self._read(context, self._compiler.singleton(name, nodes, query))
        return await self._many(context, root, nodes, given, await self._written(context, root, given))

    async def _written(self, context: Context, root: Root, given: dict[str, Any]) -> list[str]:
        name, data = root.collection, given.get("data")
        if root.kind == "create_many":
            return await self._items.create(context, name, [_payload(entry) for entry in data or ()])
        if root.kind == "update_batch":
            return await self._items.update_each(context, name, [_payload(entry) for entry in data or ()])
        keys = _keys(given["ids"])
        return await self._items.update(context, name, keys, self._without_key(name, _payload(data)))

    async def _update_me(self, context: Context, nodes: Sequence[FieldNode], given: dict[str, Any]) -> Value:
        if context.caller.user is None:
            return Forbidden()
        key = str(context.caller.user)
        await self._items.update(context, USERS, [key], _payload(given.get("data") or {}))
        return await self._read(context, self._compiler.item(USERS, nodes, key))

    async def _import(self, context: Context, nodes: Sequence[FieldNode], given: dict[str, Any]) -> Value:
        answer = await rest(self._request, "POST", "/files/import", given, {})
        if not self._compiler.outline.may(FILES, "read"):
            return b"true"
        key = str(answer["data"]["id"])
        return await self._read(context, self._compiler.item(FILES, nodes, key))

    async def _one(self, context: Context, root: Root, nodes: Sequence[FieldNode], key: str) -> Value:
        if not root.readable:
            return b"true"
        query = await self._asked(context, root, nodes, {})
        return await self._read(context, self._compiler.item(root.collection, nodes, key, query))

    async def _many(
        self,
        context: Context,
        root: Root,
        nodes: Sequence[FieldNode],
        given: dict[str, Any],
        keys: Sequence[str],
    ) -> Value:
        if not root.readable:
            return b"true"
        # Compiled even without keys, so that wrong arguments are told.
        query = await self._asked(context, root, nodes, given)
        compiled = self._compiler.items(root.collection, nodes, keys or ["0"], given, query)
        return await self._read(context, compiled) if keys else EMPTY

    async def _asked(
        self, context: Context, root: Root, nodes: Sequence[FieldNode], given: dict[str, Any]
    ) -> Mapping[str, Any] | None:
        collector = self._compiler.collector
        return await asked_root(self._items.events, context, collector, root.collection, nodes, given)

    def _deleted(self, nodes: Sequence[FieldNode], type_name: str, member: str, value: Any) -> bytes:
        found = self._compiler.collector.below(nodes, type_name)
        return dumps(
            {output: value if inner[0].name.value == member else type_name for output, inner in found.items()}
        )

    def _without_key(self, name: str, payload: dict[str, Any]) -> dict[str, Any]:
        keys = self._compiler.outline.model.collections[name].primary_key
        return {field: value for field, value in payload.items() if field not in keys}


def _payload(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise InvalidPayload("Each item has to be an object")
    return dict(data)


def _keys(given: Any) -> list[str]:
    if any(key is None for key in given):
        raise InvalidPayload('"ids" can\'t hold null')
    return [str(key) for key in given]
