"""`version` of a root field: an item as one of its content versions has it."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from api.commands import command_of
from api.graphql.answers import dumps
from api.graphql.compile import Version
from api.graphql.prepare import Entry
from api.graphql.shown import shown
from api.keys import CONTENT_VERSIONS, CONTEXT, ITEMS, READER
from domain.errors import ActaError, ErrorGroup, ServiceUnavailable
from domain.query.query import TYPE_NAME
from projections.database import Connection

_HEAD = b'{"data":'
_TEXTS = frozenset({"ID", "GraphQLBigInt"})


async def read_version(request: web.Request, entry: Entry) -> bytes | ActaError | ErrorGroup | None:
    """The JSON of a root field that names a version, None without the item, or its error."""
    context, compiled, events = request[CONTEXT], entry.compiled, request.app[ITEMS].events
    assert compiled is not None
    version, reader = compiled.version, request.app[READER]
    assert version is not None
    statement = reader.compiled([compiled.plan], context.model.version)

    async def ask(connection: Connection) -> bytes | None:
        values = await reader.values(statement, context.caller, connection=connection)
        return _HEAD + values[0] + b"}" if values and values[0] is not None else None

    try:
        body = await request.app[CONTENT_VERSIONS].read(
            await command_of(request),
            context.model,
            version.collection,
            version.item,
            version.key,
            raw=version.raw is not None,
            ask=ask,
            typed=True,
        )
        if body is None:
            return None
        if version.raw is None:
            return await shown(events, context, compiled, body[len(_HEAD) : -1])
        left = await events.envelope(context, version.collection, {}, body)
    except ServiceUnavailable:
        raise
    except (ActaError, ErrorGroup) as error:
        return error
    return None if left is None else _raw(version, orjson.loads(left)["data"])


def _raw(version: Version, item: dict[str, Any]) -> bytes:
    """The members that are asked for. What was sent may be of any kind: keys and large numbers are texts."""
    answer: dict[str, Any] = {}
    for output, field, scalar in version.raw or ():
        value = scalar if field == TYPE_NAME else item.get(field)
        answer[output] = value if value is None or scalar not in _TEXTS else str(value)
    return dumps(answer)
