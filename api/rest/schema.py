"""`/schema`: snapshot, difference, application. JSON, or one file of JSON or YAML."""

from __future__ import annotations

from typing import Any

import yaml
from aiohttp import BodyPartReader, web

from api.bodies import parse_json, read_json, read_object
from api.commands import command_of
from api.files.multipart import BROKEN_FORM
from api.keys import CONTEXT, SCHEMA
from api.responses import data, dumps, no_content
from api.rest.exports import answer_export, wanted_format
from domain.errors import Forbidden, InvalidPayload, UnsupportedMediaType


async def snapshot(request: web.Request) -> web.Response:
    """GET /schema/snapshot; with ``?export=`` as a file."""
    _administrators(request)
    found = request.app[SCHEMA].snapshot(await command_of(request))
    form = wanted_format(request.rel_url.raw_query_string)
    if form is None:
        return data(found)
    return answer_export(dumps({"data": found}), "snapshot", form)


async def diff(request: web.Request) -> web.Response:
    """POST /schema/diff; 204 when nothing differs. The mere presence of ``force`` counts."""
    _administrators(request)
    document = await _document(request)
    found = await request.app[SCHEMA].diff(
        await command_of(request), document, force="force" in request.query
    )
    return no_content() if found is None else data(found)


async def apply(request: web.Request) -> web.Response:
    """POST /schema/apply. With ``?dry=true`` nothing changes and the DDL is the answer."""
    _administrators(request)
    body = await _document(request)
    force, dry = (request.query.get(name) == "true" for name in ("force", "dry"))
    statements = await request.app[SCHEMA].apply(await command_of(request), body, force=force, dry=dry)
    return data({"statements": statements}) if dry else no_content()


async def undo(request: web.Request) -> web.Response:
    """POST /schema/undo: take back the command that an entry of the activity was part of."""
    _administrators(request)
    activity = (await read_object(request)).get("activity")
    if isinstance(activity, bool) or not isinstance(activity, int):
        raise InvalidPayload('"activity" must be the number of an entry of the activity')
    dry = request.query.get("dry") == "true"
    return data(await request.app[SCHEMA].undo(await command_of(request), activity, dry=dry))


async def rename(request: web.Request) -> web.Response:
    """POST /schema/rename: another ``name`` for a ``collection``, or for its ``field``."""
    _administrators(request)
    body = await read_object(request)
    dry = request.query.get("dry") == "true"
    return data({"statements": await request.app[SCHEMA].rename(await command_of(request), body, dry=dry)})


async def retype(request: web.Request) -> web.Response:
    """POST /schema/retype: another ``type`` for a field, and what that does to its values."""
    _administrators(request)
    body = await read_object(request)
    dry = request.query.get("dry") == "true"
    return data(await request.app[SCHEMA].retype(await command_of(request), body, dry=dry))


def _administrators(request: web.Request) -> None:
    if not request[CONTEXT].rights.admin:
        raise Forbidden()


async def _document(request: web.Request) -> Any:
    if request.content_type == "multipart/form-data":
        return await _file(request)
    if request.content_type != "application/json":
        raise UnsupportedMediaType(request.headers.get("Content-Type", ""), "Content-Type header")
    return await read_json(request)


async def _file(request: web.Request) -> Any:
    files: list[tuple[str, bytes]] = []
    try:
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.filename is not None:
                files.append((part.headers.get("Content-Type", ""), bytes(await part.read(decode=True))))
            elif isinstance(part, BodyPartReader):
                await part.release()
    except BROKEN_FORM as error:
        raise InvalidPayload(f"The body can't be read as a form: {error}") from None
    if not files:
        raise InvalidPayload("No file was included in the body")
    if len(files) > 1:
        raise InvalidPayload("More than one file was included in the body")
    content_type, content = files[0]
    if content_type.split(";")[0].strip() == "application/json":
        return parse_json(content)
    return parse_yaml(content)


def parse_yaml(content: bytes) -> Any:
    """A YAML document.

    Raises:
        InvalidPayload: when it isn't one.
    """
    try:
        return _Loader(content.decode()).get_single_data()
    except (yaml.YAMLError, UnicodeDecodeError):
        raise InvalidPayload("Invalid YAML") from None


class _Loader(yaml.SafeLoader):
    """YAML with the types of JSON only: a date stays the text it was written as."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def routes() -> list[web.RouteDef]:
    """The routes of `/schema`."""
    return [
        web.get("/schema/snapshot", snapshot),
        web.post("/schema/diff", diff),
        web.post("/schema/apply", apply),
        web.post("/schema/undo", undo),
        web.post("/schema/rename", rename),
        web.post("/schema/retype", retype),
    ]
