"""`/assets`: the bytes of files, as they are or transformed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import quote
from uuid import UUID

import orjson
from aiohttp import hdrs, web

from api.files.sending import SentFile, Streamed, Whole, open_small
from api.keys import CONTEXT, DATABASE, ITEMS, LIBRARY, SETTINGS, VARIANTS, Context
from domain.errors import Forbidden, IllegalAssetTransformation, ServiceUnavailable
from domain.files.ranges import ByteRange, parse_range
from domain.files.transforms import Source, Transformation, media_type, parse, resolve, resolve_key
from domain.settings_files import AssetsSettings
from projections.files import contents
from projections.files.contents import Asset
from services.files.library import FILES
from services.storage.base import NotFound, StorageError

_KEY_LENGTH = 36
_SAFE = "default-src 'none'"


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as far as the caller may see it."""

    key: UUID
    asset: Asset
    filename: str | None
    modified: datetime | None


async def read_asset(request: web.Request) -> web.StreamResponse:
    """GET and HEAD /assets/{key} and /assets/{key}/{filename}."""
    settings = request.app[SETTINGS].assets
    wish = parse(request.query, settings.max_operations)
    key = _key(request.match_info["key"])
    asset = None if key is None else await contents.asset(request.app[DATABASE], key)
    if wish.names:
        rules = asset or await contents.any_rules(request.app[DATABASE])
        presets = rules.presets if isinstance(rules.presets, list) else []
        usable = [entry for entry in presets if isinstance(entry, dict)]
        values = resolve_key(wish, usable, rules.transform or "all")
    else:
        values = {}
    if key is None or asset is None:
        raise _unknown(request[CONTEXT])
    seen = await _seen(request, key, asset)
    source = Source(asset.type or "", asset.width, asset.height, asset.focal_x, asset.focal_y)
    wanted = resolve(values, source, request.headers.get(hdrs.ACCEPT, ""), settings.max_dimension)
    headers = _headers(request, seen, wanted, settings)
    if settings.cache_revalidate and _fresh(request, seen.modified):
        kept = {name: headers[name] for name in _OF_304 if name in headers}
        return web.Response(status=304, headers=kept)
    if asset.filename_disk is None:
        raise Forbidden()
    try:
        if wanted is None:
            return await _send(request, seen, asset.filename_disk, headers, ranged=True)
        return await _send_variant(request, seen, wanted, headers)
    except NotFound:
        raise Forbidden() from None
    except StorageError as error:
        raise ServiceUnavailable("files", f"{error}") from error


async def _send_variant(
    request: web.Request, seen: Seen, wanted: Transformation, headers: dict[str, str]
) -> web.StreamResponse:
    variants = request.app[VARIANTS]
    kept = variants.recent.get(seen.asset.storage, variants.path(seen.asset, wanted))
    if kept is not None:
        return Whole(body=kept, headers=headers)
    try:
        return await _send(request, seen, variants.path(seen.asset, wanted), headers, ranged=False)
    except NotFound:
        path = await variants.make(seen.key, seen.asset, wanted)
        return await _send(request, seen, path, headers, ranged=False)


async def _send(
    request: web.Request, seen: Seen, path: str, headers: dict[str, str], *, ranged: bool
) -> web.StreamResponse:
    """An object as an answer. Raises StorageError, RangeNotSatisfiable."""
    storage = request.app[LIBRARY].objects.storage(seen.asset.storage)
    local = storage.local(path)
    if local is None:
        entry = await storage.stat(path)
        if entry is None:
            raise NotFound(path)
        part = _part(request, entry.size, headers, ranged=ranged)
        start, length = (part.start, part.length) if part else (0, entry.size)
        streamed = Streamed(storage, path, start, length, status=206 if part else 200, headers=headers)
        if request.method != "HEAD":
            await streamed.open()
        return streamed
    size, body, file = await asyncio.to_thread(open_small, local)
    try:
        part = _part(request, size, headers, ranged=ranged)
    except BaseException:
        if file >= 0:
            await asyncio.to_thread(_close, file)
        raise
    status = 206 if part else 200
    start, length = (part.start, part.length) if part else (0, size)
    if body is not None:
        if not ranged:
            request.app[VARIANTS].recent.put(seen.asset.storage, path, body)
        return Whole(body=body[start : start + length], status=status, headers=headers)
    return SentFile(file, start, length, status=status, headers=headers)


def _close(file: int) -> None:
    import os

    os.close(file)


def _part(request: web.Request, size: int, headers: dict[str, str], *, ranged: bool) -> ByteRange | None:
    if not ranged:
        return None
    part = parse_range(request.headers.get(hdrs.RANGE), size)
    if part is not None:
        headers[hdrs.CONTENT_RANGE] = part.header
    # HEAD tells of the range, but answers as for the whole.
    return None if request.method == "HEAD" else part


async def _seen(request: web.Request, key: UUID, asset: Asset) -> Seen:
    """The file as the caller may see it. Raises Forbidden."""
    context = request[CONTEXT]
    if context.rights.admin or asset.public:
        return Seen(key, asset, asset.filename_download, asset.modified_on)
    answer = await request.app[ITEMS].read_one(context, FILES, str(key), "fields=*")
    if answer is None:
        raise Forbidden.action("read", FILES)
    row = orjson.loads(answer)["data"]
    # A field that a rule hides is missing, or null where only some rows show it.
    name = asset.filename_download if row.get("filename_download") is not None else None
    return Seen(key, asset, name, asset.modified_on if row.get("modified_on") is not None else None)


def _unknown(context: Context) -> Forbidden:
    return Forbidden() if context.rights.may(FILES, "read") else Forbidden.collection(FILES)


def _headers(
    request: web.Request, seen: Seen, wanted: Transformation | None, settings: AssetsSettings
) -> dict[str, str]:
    asset = seen.asset
    stored = asset.type or ""
    if not stored:
        raise IllegalAssetTransformation(["format"])
    audience = "private" if request[CONTEXT].caller.role is not None else "public"
    age = "max-age=0, must-revalidate" if settings.cache_revalidate else f"max-age={int(settings.cache_ttl)}"
    automatic = request.query.get("format") == "auto"
    headers = {
        hdrs.CONTENT_TYPE: _header_text(stored if wanted is None else media_type(wanted, stored)),
        hdrs.CONTENT_DISPOSITION: _disposition(request, seen),
        hdrs.CACHE_CONTROL: f"{audience}, {age}",
        hdrs.VARY: "Origin, Cache-Control" + (", Accept" if automatic else ""),
        hdrs.ACCEPT_RANGES: "bytes",
        "Content-Security-Policy": _SAFE,
        "X-Content-Type-Options": "nosniff",
    }
    if seen.modified is not None:
        headers[hdrs.LAST_MODIFIED] = format_datetime(seen.modified.astimezone(UTC), usegmt=True)
        headers[hdrs.ETAG] = _etag(seen.modified)
    return headers


_OF_304 = (hdrs.CACHE_CONTROL, hdrs.ETAG, hdrs.LAST_MODIFIED, hdrs.VARY)


def _etag(modified: datetime) -> str:
    return f'"{int(modified.timestamp())}"'


def _fresh(request: web.Request, modified: datetime | None) -> bool:
    if modified is None:
        return False
    if request.headers.get(hdrs.IF_NONE_MATCH) == _etag(modified):
        return True
    since = request.headers.get(hdrs.IF_MODIFIED_SINCE)
    try:
        return since is not None and parsedate_to_datetime(since).timestamp() >= int(modified.timestamp())
    except (ValueError, TypeError, OverflowError):
        return False


def _disposition(request: web.Request, seen: Seen) -> str:
    kind = "attachment" if "download" in request.query else "inline"
    name = request.match_info.get("filename") or seen.filename or str(seen.key)
    name = "".join(character for character in name if character.isprintable())
    plain = name.encode("ascii", "replace").decode().replace("\\", "?").replace('"', "?")
    header = f'{kind}; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"


def _header_text(text: str) -> str:
    printable = "".join(character for character in text if character.isprintable())
    return printable.encode("ascii", "ignore").decode() or "application/octet-stream"


def _key(text: str) -> UUID | None:
    try:
        return UUID(text[:_KEY_LENGTH])
    except ValueError:
        return None


def routes() -> list[web.RouteDef]:
    """The routes of `/assets`."""
    return [
        web.get("/assets/{key}", read_asset),
        web.get("/assets/{key}/{filename}", read_asset),
    ]
