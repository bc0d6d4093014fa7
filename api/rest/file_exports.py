"""POST /utils/export/{collection}: a list as a file in the library, written after the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from api.background import in_background
from api.bodies import read_object
from api.commands import command_of
from api.formats import FORMATS, Format
from api.keys import CONTEXT, EXPORTS, ITEMS, LIBRARY, READER, SETTINGS, Context
from api.notifications import STOPPED, tell
from api.responses import no_content
from api.rest.exports import file_text
from api.rest.streams import Parts, file_parts
from domain.access.command import Command
from domain.access.rights import Rights
from domain.errors import ActaError, ErrorGroup, Forbidden, InvalidPayload, LimitExceeded
from domain.model import Collection
from projections.reading.past import names_past
from services.files.library import FILES
from services.files.upload import Upload

MOST_WAITING = 100
_FAILED = "Your export of {} failed"
_READY = "Your export of {} is ready"


async def export_items(request: web.Request) -> web.Response:
    """Begin an export; whatever becomes of it, the user is notified."""
    context, collection = request[CONTEXT], request.match_info["collection"]
    body = await read_object(request)
    for name in ("query", "format"):
        if body.get(name) is None:
            raise InvalidPayload(f'"{name}" is required')
    for name in ("query", "file"):
        if not isinstance(body.get(name) or {}, dict):
            raise InvalidPayload(f'"{name}" must be of type object')
    if context.model.collection(collection) is None:
        raise Forbidden.collection(collection)
    if request.app[EXPORTS].waiting >= MOST_WAITING:
        raise LimitExceeded("Concurrent export")
    in_background(request.app, _export(request.app, context, await command_of(request), collection, body))
    return no_content()


def routes() -> list[web.RouteDef]:
    """The route."""
    return [web.post("/utils/export/{collection}", export_items)]


async def _export(
    app: web.Application, context: Context, command: Command, collection: str, body: Mapping[str, Any]
) -> None:
    try:
        async with app[EXPORTS]:
            key = await _stored(app, context, command, collection, body)
    except (ActaError, ErrorGroup) as error:
        await tell(app, command, _FAILED.format(collection), str(error))
    except asyncio.CancelledError:
        await tell(app, command, _FAILED.format(collection), STOPPED)
        raise
    except Exception:
        await tell(app, command, _FAILED.format(collection), "")
        raise
    else:
        link = f"{app[SETTINGS].server.public_url.rstrip('/')}/admin/files/{key}"
        message = f"[Open the file]({link})"
        await tell(app, command, _READY.format(collection), message, collection=FILES, item=key)


async def _stored(
    app: web.Application, context: Context, command: Command, collection: str, body: Mapping[str, Any]
) -> str:
    """The id of the file."""
    form = FORMATS.get(str(body["format"]))
    if form is None:
        raise InvalidPayload(f'"format" must be one of [{", ".join(FORMATS)}]')
    name = f"export-{collection}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    async with aclosing(_parts(app, context, collection, body["query"], form)) as parts:
        upload = Upload(
            body.get("file") or {}, f"{name}.{form.ending}", form.content_type.partition(";")[0], parts, name
        )
        return await app[LIBRARY].store(command, context.model, upload)


async def _parts(
    app: web.Application, context: Context, collection: str, raw: Mapping[str, Any], form: Format
) -> Parts:
    found = context.model.collection(collection)
    assert found is not None
    query = whole_list(raw, found, context.rights)
    if found.singleton or names_past(query):
        envelope = await app[ITEMS].read(context, collection, query)
        yield file_text(envelope, collection, form, context.model)
        return
    async with aclosing(
        file_parts(app[READER], app[ITEMS].events, context, collection, query, form)
    ) as parts:
        async for part in parts:
            yield part


def whole_list(raw: Mapping[str, Any], collection: Collection, rights: Rights) -> dict[str, Any]:
    """The query of an export: everything unless it has a limit, in an order that leaves nothing open."""
    query = {name: value for name, value in raw.items() if name != "export"}
    if query.get("limit") is None:
        query["limit"] = -1
    if query.get("aggregate") or query.get("groupBy") or collection.singleton:
        return query
    readable = rights.of(collection.name, "read")
    keys = [
        name for name in collection.primary_key if rights.admin or any(rule.covers(name) for rule in readable)
    ]
    given = query.get("sort") or []
    if isinstance(given, str):
        query["sort"] = ",".join([given, *keys])
    elif isinstance(given, list):
        query["sort"] = [*given, *keys]
    return query
