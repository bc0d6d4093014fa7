"""`POST /files/import`: a file from a URL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from aiohttp import web

from api.bodies import read_object
from api.commands import command_of
from api.files.routes import RESOURCE, FileHandlers
from api.items import Written
from api.keys import CONTEXT, DATABASE, LIBRARY, WEB_CLIENT
from domain.errors import Forbidden, InvalidPayload
from projections.files import contents
from services.files.fetching import fetched
from services.files.library import FILES
from services.files.upload import Upload

_KEYS = ("url", "data", "options")


class ImportHandlers(FileHandlers):
    """The handler of the route."""

    async def run(self, request: web.Request) -> web.StreamResponse:
        """POST /files/import."""
        context = request[CONTEXT]
        if not context.rights.may(FILES, "create"):
            raise Forbidden.action("create", FILES)
        body = await read_object(request)
        url, fields, wanted = _checked(body)
        command = await command_of(request)
        library = request.app[LIBRARY]
        allowed = library.settings.mime_types
        async with fetched(request.app[WEB_CLIENT], url, fields, allowed, wanted) as upload:
            if await _replaces(request, upload):
                key = upload.key()
                await library.replace(command, context.model, key, upload)
            else:
                key = await library.store(command, context.model, upload)
        return await self._echo_one(request, context, FILES, Written(key))


async def _replaces(request: web.Request, upload: Upload) -> bool:
    if upload.fields.get("id") is None:
        return False
    return await contents.exists(request.app[DATABASE], UUID(upload.key()))


def _checked(body: dict[str, Any]) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    url, fields, options = body.get("url"), body.get("data"), body.get("options")
    if "url" not in body:
        raise InvalidPayload('"url" is required')
    if not isinstance(url, str) or not url:
        raise InvalidPayload('"url" must be a string')
    for name in body:
        if name not in _KEYS:
            raise InvalidPayload(f'"{name}" is not allowed')
    for name, value in (("data", fields), ("options", options)):
        if name in body and not isinstance(value, dict):
            raise InvalidPayload(f'"{name}" must be of type object')
    wanted = (options or {}).get("filterMimeType")
    if wanted is None:
        return url, fields or {}, ("*/*", "*")
    if not isinstance(wanted, list) or not all(isinstance(entry, str) for entry in wanted):
        raise InvalidPayload('"options.filterMimeType" must be an array')
    return url, fields or {}, tuple(wanted) or ("*/*", "*")


def routes() -> list[web.RouteDef]:
    """The route."""
    return [web.post("/files/import", ImportHandlers(RESOURCE).run)]
