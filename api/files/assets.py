"""`/assets`: the bytes of files, as they are or transformed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import quote
from uuid import UUID

import orjson
from aiohttp import hdrs, web

from api.files.delivering import send_object, send_variant
from api.files.sending import Whole
from api.keys import CONTEXT, DATABASE, ITEMS, LIBRARY, SETTINGS, VARIANTS, Context
from domain.errors import Forbidden, IllegalAssetTransformation, ServiceUnavailable
from domain.files.transforms import Source, Transformation, media_type, parse, resolve, resolve_key
from domain.settings_files import AssetsSettings
from projections.files import contents
from projections.files.contents import Asset
from services.files.library import FILES
from services.storage.base import NotFound, StorageError

_KEY_LENGTH = 36


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
    seen = await see(request, key, asset)
    source = Source(asset.type or "", asset.width, asset.height, asset.focal_x, asset.focal_y)
    wanted = resolve(values, source, request.headers.get(hdrs.ACCEPT, ""), settings.max_dimension)
    headers = _headers(request, seen, wanted, settings)
    if settings.cache_revalidate and _fresh(request, seen.modified):
        kept = {name: headers[name] for name in _OF_304 if name in headers}
        return web.Response(status=304, headers=kept)
    if asset.filename_disk is None:
        raise Forbidden()
    if asset.unsettled:
        await request.app[LIBRARY].objects.clear(asset.storage, asset.filename_disk)
    try:
        if wanted is None:
            return await send_object(request, asset.storage, asset.filename_disk, headers)
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
        return await send_variant(request, seen.asset.storage, variants.path(seen.asset, wanted), headers)
    except NotFound:
        path = await variants.make(seen.key, seen.asset, wanted)
        return await send_variant(request, seen.asset.storage, path, headers)


async def see(request: web.Request, key: UUID, asset: Asset) -> Seen:
    """The file as the caller may see it. Raises Forbidden."""
    context = request[CONTEXT]
    if context.rights.admin or asset.public:
        return Seen(key, asset, asset.filename_download, asset.modified_on)
    answer = await request.app[ITEMS].reads.one(context, FILES, str(key), "fields=*")
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
    caller = request[CONTEXT].caller
    known = caller.user is not None or caller.role is not None or caller.share is not None
    audience = "private" if known else "public"
    age = "max-age=0, must-revalidate" if settings.cache_revalidate else f"max-age={int(settings.cache_ttl)}"
    automatic = request.query.get("format") == "auto"
    headers = {
        hdrs.CONTENT_TYPE: header_text(stored if wanted is None else media_type(wanted, stored)),
        hdrs.CONTENT_DISPOSITION: _disposition(request, seen),
        hdrs.CACHE_CONTROL: f"{audience}, {age}",
        hdrs.VARY: "Origin, Cache-Control" + (", Accept" if automatic else ""),
        hdrs.ACCEPT_RANGES: "bytes",
        "Content-Security-Policy": policy(request),
        "X-Content-Type-Options": "nosniff",
    }
    if seen.modified is not None:
        headers[hdrs.LAST_MODIFIED] = format_datetime(seen.modified.astimezone(UTC), usegmt=True)
        headers[hdrs.ETAG] = _etag(seen.modified)
    return headers


def policy(request: web.Request) -> str:
    """What a browser may do with a file that somebody has uploaded."""
    directives = request.app[SETTINGS].asset_directives
    return ";".join(f"{name} {value}" for name, value in directives.items())


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
    return disposition(kind, request.match_info.get("filename") or seen.filename or str(seen.key))


def disposition(kind: str, name: str) -> str:
    """The value of ``Content-Disposition`` for any name."""
    name = "".join(character for character in name if character.isprintable())
    plain = name.encode("ascii", "replace").decode().replace("\\", "?").replace('"', "?")
    header = f'{kind}; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"


def header_text(text: str) -> str:
    """A media type as it can stand in a header."""
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
