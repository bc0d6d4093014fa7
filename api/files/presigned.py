"""Addresses that give or take the bytes of one file for some time, to whoever has them.

Who gets such an address is decided by the caller's rights; what becomes of an upload, once more by his rights
when he tells that it is complete. A bucket gives and takes the bytes itself, for a directory we do.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from aiohttp import hdrs, web

from api.auth.tokens import Signer
from api.bodies import read_json, read_object
from api.commands import command_of
from api.files.assets import disposition, header_text, policy, see
from api.files.contents import sha256_of
from api.files.delivering import send_object
from api.files.routes import RESOURCE, FileHandlers, uuid_of
from api.items import Written
from api.keys import CONTEXT, DATABASE, ITEMS, LIBRARY, SETTINGS, SIGNER
from api.responses import data
from domain.errors import Forbidden, InvalidPayload, ServiceUnavailable
from domain.files.naming import clean_filename, title_of
from projections.files import contents, tasks
from services.files.library import FILES, OCTETS
from services.files.objects import INCOMING
from services.files.upload import Upload, nothing
from services.storage.base import CHUNK, NotFound, StorageError

DEFAULT_SECONDS = 600
MOST_SECONDS = 7 * 86_400
_OWN = ("expires", "filesize", "sha256", "storage", "filename_disk")


async def offer_download(request: web.Request) -> web.Response:
    """POST /files/{key}/presigned: an address of the file's bytes."""
    body = await read_json(request) if request.can_read_body else {}
    seconds = _seconds(body if isinstance(body, dict) else {})
    key = UUID(uuid_of(request.match_info["key"]))
    asset = await contents.asset(request.app[DATABASE], key)
    if asset is None or asset.filename_disk is None:
        raise Forbidden()
    seen = await see(request, key, asset)
    kind = "attachment" if isinstance(body, dict) and body.get("download") is True else "inline"
    headers: dict[str, str] = {
        hdrs.CONTENT_TYPE: header_text(asset.type or OCTETS),
        hdrs.CONTENT_DISPOSITION: disposition(kind, seen.filename or str(key)),
    }
    storage = request.app[LIBRARY].objects.storage(asset.storage)
    try:
        if await storage.stat(asset.filename_disk) is None:
            raise Forbidden()
        url = await storage.presign("GET", asset.filename_disk, seconds, headers)
    except StorageError as error:
        raise ServiceUnavailable("files", f"{error}") from error
    if url is None:
        claims = {"use": "get", "at": asset.storage, "path": asset.filename_disk, "headers": headers}
        url = _own_address(request, {**claims, "content": asset.content, "file": str(key)}, seconds)
    return data({"url": url, "method": "GET", "expires": _moment(seconds)})


async def download(request: web.Request) -> web.StreamResponse:
    """GET and HEAD /files/presigned/{token}."""
    claims = _claims(request, request.match_info["token"], "get")
    asset = await contents.asset(request.app[DATABASE], UUID(claims["file"]))
    # The address is of these bytes: when the file has got others, or is gone, it leads nowhere.
    if asset is None or asset.content != claims["content"] or asset.filename_disk != claims["path"]:
        raise Forbidden()
    safety = {"Content-Security-Policy": policy(request), "X-Content-Type-Options": "nosniff"}
    headers = {**claims["headers"], **safety, hdrs.CACHE_CONTROL: "private", hdrs.ACCEPT_RANGES: "bytes"}
    try:
        return await send_object(request, claims["at"], claims["path"], headers)
    except NotFound:
        raise Forbidden() from None
    except StorageError as error:
        raise ServiceUnavailable("files", f"{error}") from error


async def offer_upload(request: web.Request) -> web.Response:
    """POST /files/presigned: an address that takes the bytes of a file, and a token to complete it with."""
    body = await read_object(request)
    context, library = request[CONTEXT], request.app[LIBRARY]
    if not (context.rights.may(FILES, "create") or context.rights.may(FILES, "update")):
        raise Forbidden.collection(FILES)
    seconds = _seconds(body)
    upload = _upload(body, "")
    library.check_type(upload)
    size = body.get("filesize")
    limit = library.settings.max_upload_size
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise InvalidPayload('"filesize" must be a number of bytes')
    library.check_size(size)
    location = await _location(request, body)
    path = INCOMING + uuid4().hex
    reservation = await tasks.reserve(request.app[DATABASE], location, path, seconds + tasks.GRACE_SECONDS)
    assert reservation is not None, "a random name is taken"
    task, _ = reservation
    try:
        url = await library.objects.storage(location).presign("PUT", path, seconds)
    except StorageError as error:
        raise ServiceUnavailable("files", f"{error}") from error
    claims = {"at": location, "path": path, "task": task}
    if url is None:
        most = limit if size is None else size
        url = _own_address(request, {**claims, "use": "put", "most": most}, seconds)
    user = None if context.caller.user is None else str(context.caller.user)
    fields = {name: value for name, value in body.items() if name != "expires"}
    token = _signer(request).sign(
        {**claims, "use": "done", "user": user, "fields": fields}, seconds + tasks.GRACE_SECONDS
    )
    return data({"url": url, "method": "PUT", "expires": _moment(seconds), "token": token})


async def take(request: web.Request) -> web.Response:
    """PUT /files/presigned/{token}: the bytes, where the storage can't take them itself."""
    claims = _claims(request, request.match_info["token"], "put")
    library, task = request.app[LIBRARY], claims["task"]
    if not await tasks.is_waiting(request.app[DATABASE], task):
        raise Forbidden()
    upload = Upload({}, "", OCTETS, _body(request))
    async with library.objects.holding(task):
        try:
            stream = upload.stream(claims["most"])
            await library.objects.storage(claims["at"]).write(claims["path"], stream)
        except StorageError as error:
            raise ServiceUnavailable("files", f"Couldn't save the file: {error}") from error
    return web.Response(status=200)


class PresignedHandlers(FileHandlers):
    """The handler that answers with a file."""

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """POST /files/presigned/complete: the bytes are there, make a file of them."""
        body = await read_object(request)
        claims = _claims(request, str(body.get("token")), "done")
        context, library, fields = request[CONTEXT], request.app[LIBRARY], claims["fields"]
        user = None if context.caller.user is None else str(context.caller.user)
        if claims["user"] != user or not await tasks.is_waiting(request.app[DATABASE], claims["task"]):
            raise Forbidden()
        command = await command_of(request)
        upload = _upload(fields, claims["at"])
        upload.placed = claims["path"]
        upload.sha256 = fields.get("sha256")
        upload.size = fields.get("filesize")
        async with library.objects.holding(claims["task"], release=True):
            replaces = fields.get("id") is not None and await contents.exists(
                request.app[DATABASE], UUID(upload.key())
            )
            if replaces:
                key = upload.key()
                await library.replace(command, context.model, key, upload)
            else:
                key = await library.store(command, context.model, upload)
        return await self._echo_one(request, context, FILES, Written(key))


def _upload(fields: dict[str, Any], location: str) -> Upload:
    """What the caller says of a file, checked as far as it can be before the bytes are there."""
    name, media_type = fields.get("filename_download"), fields.get("type", OCTETS)
    if not isinstance(name, str) or not clean_filename(name):
        raise InvalidPayload('"filename_download" is required')
    if not isinstance(media_type, str) or not media_type:
        raise InvalidPayload('"type" must be a string')
    if fields.get("sha256") is not None:
        sha256_of(str(fields["sha256"]))
    kept = {name: value for name, value in fields.items() if name not in _OWN}
    if location:
        kept["storage"] = location
    upload = Upload(kept, name, media_type[:255], nothing(), title_of(clean_filename(name)))
    upload.key()
    return upload


async def _location(request: web.Request, body: dict[str, Any]) -> str:
    """Where the bytes go: with the file they replace, else where the caller says, else the first place.

    Raises:
        Forbidden: without the right to update that file, or to create one.
        InvalidPayload
    """
    locations = request.app[LIBRARY].objects.locations
    if body.get("id") is not None:
        key = uuid_of(str(body["id"]))
        before = await contents.kept(request.app[DATABASE], UUID(key))
        if before is not None:
            if not await request.app[ITEMS].reaches(request[CONTEXT], FILES, key, "update"):
                raise Forbidden()
            return before.storage
    if not request[CONTEXT].rights.may(FILES, "create"):
        raise Forbidden()
    name = str(body.get("storage") or locations.default)
    if locations.get(name) is None:
        raise InvalidPayload(f'Location "{name}" doesn\'t exist.')
    return name


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.content.iter_chunked(CHUNK):
            yield chunk
    except (ConnectionResetError, web.RequestPayloadError):
        raise InvalidPayload("The body ends too early") from None


def _seconds(body: dict[str, Any]) -> int:
    given = body.get("expires", DEFAULT_SECONDS)
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= MOST_SECONDS:
        raise InvalidPayload(f'"expires" must be a number of seconds up to {MOST_SECONDS}')
    return given


def _moment(seconds: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)


def _signer(request: web.Request) -> Signer:
    """Of a secret of its own: such a token is no access token, and the other way round."""
    secret = request.app[SIGNER].secret.encode()
    return Signer(hmac.new(secret, b"acta presigned", hashlib.sha256).hexdigest())


def _own_address(request: web.Request, claims: dict[str, Any], seconds: int) -> str:
    base = request.app[SETTINGS].server.public_url.rstrip("/")
    return f"{base}/files/presigned/{_signer(request).sign(claims, seconds)}"


def _claims(request: web.Request, token: str, use: str) -> dict[str, Any]:
    claims = _signer(request).read(token)
    if claims["use"] != use:
        raise Forbidden()
    return claims


def routes() -> list[web.RouteDef]:
    """The routes."""
    return [
        web.post("/files/presigned", offer_upload),
        web.post("/files/presigned/complete", PresignedHandlers(RESOURCE).complete),
        web.get("/files/presigned/{token}", download),
        web.put("/files/presigned/{token}", take),
        web.post("/files/{key}/presigned", offer_download),
    ]
