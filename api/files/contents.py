"""What files held before, and who holds the same: `/files/{key}/contents`, `/files/duplicates`."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson
from aiohttp import hdrs, web

from api.commands import command_of
from api.files.assets import disposition, header_text, policy
from api.files.delivering import send_object
from api.files.routes import RESOURCE, FileHandlers, uuid_of
from api.items import Raw, Written
from api.keys import CONTEXT, DATABASE, ITEMS, LIBRARY, SETTINGS
from api.responses import data, raw_json
from domain.access.rights import Action
from domain.errors import Forbidden, InvalidQuery, ServiceUnavailable
from domain.query.text import parse_text
from projections.files import contents
from services.files.library import FILES, OCTETS
from services.storage.base import NotFound, StorageError

_SHA256 = re.compile(r"[0-9a-f]{64}")
ACTIONS: Final[tuple[Action, ...]] = ("read", "update")
MOST = 100
"""Groups of duplicates in one answer."""


async def read_contents(request: web.Request) -> web.Response:
    """GET /files/{key}/contents: all that a file held, newest first; for who may read and change it."""
    key = await _changeable(request)
    found = await contents.history(request.app[DATABASE], key)
    return data(
        [
            {
                "sha256": row["sha256"],
                "filesize": str(row["size"]),
                "type": row["type"],
                "filename_download": row["filename_download"],
                "from": row["at"],
                "until": row["replaced_at"],
            }
            for row in found
        ]
    )


async def read_content(request: web.Request) -> web.StreamResponse:
    """GET /files/{key}/contents/{checksum}: the bytes of one of them."""
    key, wanted = await _changeable(request), sha256_of(request.match_info["checksum"])
    found = await contents.history(request.app[DATABASE], key)
    row = next((row for row in found if row["sha256"] == wanted), None)
    if row is None:
        raise Forbidden()
    headers = {
        hdrs.CONTENT_TYPE: header_text(row["type"] or OCTETS),
        hdrs.CONTENT_DISPOSITION: disposition("attachment", row["filename_download"] or key),
        hdrs.CACHE_CONTROL: "private, no-store",
        hdrs.ACCEPT_RANGES: "bytes",
        "Content-Security-Policy": policy(request),
        "X-Content-Type-Options": "nosniff",
    }
    try:
        return await send_object(request, row["location"], row["path"], headers)
    except NotFound:
        raise Forbidden() from None
    except StorageError as error:
        raise ServiceUnavailable("files", f"{error}") from error


class ContentHandlers(FileHandlers):
    """The handlers that answer with files."""

    async def restore(self, request: web.Request) -> web.StreamResponse:
        """POST /files/{key}/contents/{checksum}/restore."""
        key, wanted = uuid_of(self.key(request)), sha256_of(request.match_info["checksum"])
        context = request[CONTEXT]
        await request.app[LIBRARY].bring_back(await command_of(request), context.model, key, wanted)
        return await self._echo_one(request, context, FILES, Written(key))


async def same_as(request: web.Request) -> web.Response:
    """GET /files/{key}/duplicates: the other files that hold the same, as far as the caller may see them."""
    key = uuid_of(request.match_info["key"])
    context = request[CONTEXT]
    if await request.app[ITEMS].reads.one(context, FILES, key, "fields=id") is None:
        raise Forbidden.action("read", FILES)
    found = [other for other in await contents.same_as(request.app[DATABASE], key) if other != key]
    return raw_json(await request.app[ITEMS].read_many(context, FILES, found, _query(request)))


async def duplicates(request: web.Request) -> web.Response:
    """GET /files/duplicates: files that hold the same, in groups; with ``sha256`` those that hold that."""
    context, database = request[CONTEXT], request.app[DATABASE]
    if not context.rights.may(FILES, "read"):
        raise Forbidden.collection(FILES)
    if "sha256" in request.query:
        found = await contents.same(database, sha256_of(request.query["sha256"]))
        return raw_json(await request.app[ITEMS].read_many(context, FILES, found, _query(request)))
    groups = await contents.duplicates(database, MOST)
    keys = [key for _, _, files in groups for key in files]
    rows = orjson.loads(await request.app[ITEMS].reads.many(context, FILES, keys, "fields=id"))["data"]
    seen = {row["id"] for row in rows}
    answer: list[dict[str, Any]] = []
    for sha256, size, files in groups:
        readable = [key for key in files if key in seen]
        if len(readable) > 1:
            answer.append({"sha256": sha256, "filesize": str(size), "files": readable})
    return data(answer)


def _query(request: web.Request) -> Raw:
    limits = request.app[SETTINGS].query
    raw = parse_text(
        request.rel_url.raw_query_string, brackets=limits.max_parse_depth, elements=limits.array_limit
    )
    return {name: value for name, value in raw.items() if name != "sha256"}


async def _changeable(request: web.Request) -> str:
    """The file in the path; to see what it held before takes the rights to read and to change it."""
    key = uuid_of(request.match_info["key"])
    for action in ACTIONS:
        if not await request.app[ITEMS].reaches(request[CONTEXT], FILES, key, action):
            raise Forbidden.action(action, FILES)
    return key


def sha256_of(text: str) -> str:
    """A checksum as it was sent. Raises InvalidQuery."""
    if not _SHA256.fullmatch(text.lower()):
        raise InvalidQuery('"sha256" must be 64 hexadecimal digits')
    return text.lower()


def routes() -> list[web.RouteDef]:
    """The routes."""
    path = "/files/{key}/contents"
    return [
        web.get("/files/duplicates", duplicates),
        web.get("/files/{key}/duplicates", same_as),
        web.get(path, read_contents),
        web.get(path + "/{checksum}", read_content),
        web.post(path + "/{checksum}/restore", ContentHandlers(RESOURCE).restore),
    ]
