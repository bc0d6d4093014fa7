"""``items`` messages: reading and writing items of user collections, as REST does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from api.batch import key_texts
from api.items import Items
from api.keys import Context
from api.realtime.protocol import Message
from domain.errors import Forbidden, InvalidPayload
from domain.model.keys import key_text

NOTHING = b'{"data":[]}'
Query = Mapping[str, Any]


class InvalidCollection(InvalidPayload):
    """A collection that sockets don't serve."""

    code = "INVALID_COLLECTION"


async def answer(items: Items, context: Context, message: Message) -> bytes:
    """The envelope that answers a message.

    Raises:
        InvalidCollection: for system collections and unknown ones.
        ActaError, ErrorGroup: as the request over HTTP would.
    """
    collection = message.get("collection")
    if not isinstance(collection, str):
        raise InvalidPayload('"collection" is required')
    found = context.model.collections.get(collection)
    if found is None or found.system:
        raise InvalidCollection(
            f'The provided collection does not exist or is not accessible: "{collection}"'
        )
    query = message.get("query") or {}
    if not isinstance(query, dict):
        raise InvalidPayload('"query" has to be an object')
    match message.get("action"):
        case "create":
            return await _create(items, context, collection, message, query)
        case "read":
            return await _read(items, context, collection, message, query)
        case "update":
            return await _update(items, context, collection, message, query)
        case "delete":
            return await _delete(items, context, collection, message)
    raise InvalidPayload('"action" has to be one of create, read, update, delete')


async def _create(items: Items, context: Context, collection: str, message: Message, query: Query) -> bytes:
    data = message.get("data")
    if isinstance(data, list):
        keys = await items.create(context, collection, _payloads(data))
        return await _many(items, context, collection, keys, query)
    if not isinstance(data, dict):
        raise InvalidPayload('"data" is required')
    [key] = await items.create(context, collection, [data])
    return await _one(items, context, collection, key, query)


async def _read(items: Items, context: Context, collection: str, message: Message, query: Query) -> bytes:
    if (key := message.get("id")) is not None:
        found = await items.read_one(context, collection, key_text(key), query)
        if found is None:
            raise Forbidden()
        return found
    if (keys := message.get("ids")) is not None:
        return await items.read_many(context, collection, _keys(keys), query)
    return await items.read(context, collection, query)


async def _update(items: Items, context: Context, collection: str, message: Message, query: Query) -> bytes:
    data = message.get("data")
    if context.model.collections[collection].singleton:
        await items.upsert_singleton(context, collection, _payload(data))
        return await items.read_singleton(context, collection, query)
    if (key := message.get("id")) is not None:
        [written] = await items.update(context, collection, [key_text(key)], _payload(data)) or [""]
        if not written:
            raise Forbidden()
        return await _one(items, context, collection, written, {})
    if isinstance(data, list):
        keys = await items.update_each(context, collection, _payloads(data))
    elif (named := message.get("ids")) is not None:
        keys = await items.update(context, collection, _keys(named), _payload(data))
    elif message.get("query") is not None:
        wanted = await items.matching(context, collection, query)
        keys = await items.update(context, collection, wanted, _payload(data))
    else:
        raise InvalidPayload('Either "ids", "id" or a "query" is required')
    return await _many(items, context, collection, keys, query)


async def _delete(items: Items, context: Context, collection: str, message: Message) -> bytes:
    if (key := message.get("id")) is not None:
        await items.delete(context, collection, [key_text(key)])
        return orjson.dumps({"data": key})
    if (keys := message.get("ids")) is not None:
        await items.delete(context, collection, _keys(keys))
        return orjson.dumps({"data": keys})
    query = message.get("query")
    if not isinstance(query, dict) or not query:
        raise InvalidPayload('Either "ids", "id" or a "query" is required')
    wanted = await items.matching(context, collection, query)
    return orjson.dumps({"data": await items.delete(context, collection, wanted)})


async def _one(items: Items, context: Context, collection: str, key: str, query: Query) -> bytes:
    try:
        found = await items.read_one(context, collection, key, query)
    except Forbidden:
        found = None
    return found or b'{"data":null}'


async def _many(items: Items, context: Context, collection: str, keys: list[str], query: Query) -> bytes:
    if not keys:
        return NOTHING
    try:
        return await items.read_many(context, collection, keys, query)
    except Forbidden:
        return NOTHING


def _keys(keys: Any) -> list[str]:
    if not isinstance(keys, list):
        raise InvalidPayload('"ids" has to be an array')
    return key_texts(keys)


def _payload(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise InvalidPayload('"data" has to be an object')
    return data


def _payloads(data: list[Any]) -> list[dict[str, Any]]:
    return [_payload(entry) for entry in data]
