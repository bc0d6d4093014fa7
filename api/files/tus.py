"""`/files/tus`: resumable uploads by the protocol tus 1.0.0, with creation, termination and expiration."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import UUID

from aiohttp import web

from api.commands import command_of
from api.files.routes import uuid_of
from api.keys import CONTEXT, DATABASE, ITEMS, RESUMABLE, SETTINGS
from api.responses import PLAIN
from domain.access.rights import Action
from domain.errors import Forbidden, InvalidPayload, ServiceUnavailable
from projections.files import contents
from projections.files.contents import Unfinished
from services.files.library import FILES
from services.files.resumable import ChecksumMismatch, OffsetConflict, TooMuch, verified
from services.storage.base import CHUNK, StorageError

VERSION = "1.0.0"
Handler = Callable[[web.Request], Awaitable[web.Response]]
EXTENSIONS = "creation,termination,expiration"
ALGORITHMS = ("sha256", "sha1", "md5")
LARGEST = 2**50
_INVALID = "Upload-Metadata is invalid. It MUST consist of one or more comma-separated key-value pairs."


class Refused(Exception):
    """An answer in plain text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


async def create(request: web.Request) -> web.Response:
    """POST /files/tus."""
    return await _answered(request, _create)


async def head(request: web.Request) -> web.Response:
    """HEAD /files/tus/{upload}: how far it is."""
    return await _answered(request, _head)


async def patch(request: web.Request) -> web.Response:
    """PATCH /files/tus/{upload}: more bytes."""
    return await _answered(request, _patch)


async def delete(request: web.Request) -> web.Response:
    """DELETE /files/tus/{upload}."""
    return await _answered(request, _delete)


async def options(request: web.Request) -> web.Response:
    """OPTIONS /files/tus/{upload}: what the server can do."""
    largest = request.app[SETTINGS].files.max_upload_size
    headers = {"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS}
    headers["Tus-Checksum-Algorithm"] = ",".join(ALGORITHMS)
    if largest is not None:
        headers["Tus-Max-Size"] = str(largest)
    return _plain(204, "", headers)


async def _answered(request: web.Request, handler: Handler) -> web.Response:
    try:
        if request.headers.get("Tus-Resumable") != VERSION:
            raise Refused(412, "Tus-Resumable Required")
        return await handler(request)
    except Refused as refused:
        return _plain(refused.status, refused.text + "\n", {})
    except StorageError as error:
        raise ServiceUnavailable("files", f"{error}") from error


async def _create(request: web.Request) -> web.Response:
    context = request[CONTEXT]
    if not context.rights.may(FILES, "create"):
        raise Forbidden.collection(FILES)
    length = _length(request)
    metadata = _metadata(request.headers.get("Upload-Metadata"))
    if length == 0 or not metadata.get("filename_download"):
        raise Refused(400, _INVALID)
    largest = request.app[SETTINGS].files.max_upload_size
    if length > (largest or LARGEST):
        raise Refused(413, "Maximum size exceeded")
    if metadata.get("id"):
        metadata["id"] = uuid_of(str(metadata["id"]))
        if not await _may_replace(request, str(metadata["id"])):
            raise Forbidden()
    command = await command_of(request)
    tus_id = await request.app[RESUMABLE].create(command, context.model, length, metadata)
    base = request.app[SETTINGS].server.public_url.rstrip("/")
    expires = _expires(request, datetime.now(UTC))
    return _plain(201, "", {"Location": f"{base}/files/tus/{tus_id}", "Upload-Expires": expires})


async def _head(request: web.Request) -> web.Response:
    upload = await _upload(request, "read")
    headers = {
        "Upload-Offset": str(upload.state["offset"]),
        "Upload-Length": str(upload.size),
        "Upload-Metadata": _wire_metadata(upload),
        "Upload-Expires": _expires(request, upload.created),
        "Cache-Control": "no-store",
    }
    return _plain(200, "", headers)


async def _patch(request: web.Request) -> web.Response:
    upload = await _upload(request, "update")
    if request.content_type != "application/offset+octet-stream":
        raise Refused(400, "Invalid content-type")
    text = request.headers.get("Upload-Offset", "")
    if not text.isdecimal() or len(text) > 18:
        raise Refused(403, "Upload-Offset header required")
    context = request[CONTEXT]
    command = await command_of(request)
    try:
        offset, file = await request.app[RESUMABLE].append(
            command, context.model, upload.state["id"], int(text), _verified(request)
        )
    except OffsetConflict:
        raise Refused(409, "Upload-Offset conflict") from None
    except TooMuch:
        raise Refused(413, "Maximum size exceeded") from None
    except ChecksumMismatch:
        raise Refused(460, "Checksum Mismatch") from None
    headers = {"Upload-Offset": str(offset)}
    if file is None:
        headers["Upload-Expires"] = _expires(request, upload.created)
    else:
        headers["Directus-File-Id"] = file
    return _plain(204, "", headers)


async def _delete(request: web.Request) -> web.Response:
    upload = await _upload(request, "delete")
    command = await command_of(request)
    await request.app[RESUMABLE].cancel(command, request[CONTEXT].model, upload)
    return _plain(204, "", {})


async def _upload(request: web.Request, action: Action) -> Unfinished:
    """The upload in the path, if the caller began it and may go on."""
    context = request[CONTEXT]
    if not context.rights.may(FILES, action):
        raise Forbidden.collection(FILES)
    tus_id = request.match_info["upload"]
    found = await contents.unfinished(request.app[DATABASE], tus_id)
    user = context.caller.user
    if found is None or (None if found.user is None else UUID(found.user)) != user:
        raise Refused(404, "The file for this url was not found")
    replaces = found.state.get("replaces")
    if action == "update" and replaces and not await _may_replace(request, str(replaces)):
        # He might when he began it.
        raise Forbidden()
    if found.state["offset"] == found.size:
        # Complete, but the server ended before it had made a file of it.
        await request.app[RESUMABLE].finish(await command_of(request), context.model, tus_id)
        raise Refused(404, "The file for this url was not found")
    return found


async def _may_replace(request: web.Request, key: str) -> bool:
    return await request.app[ITEMS].reaches(request[CONTEXT], FILES, key, "update")


def _verified(request: web.Request) -> AsyncIterator[bytes]:
    """The body, and an error behind it when its checksum is not what the client said."""
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return _body(request)
    algorithm, _, value = header.strip().partition(" ")
    try:
        digest = base64.b64decode(value, validate=True)
    except binascii.Error:
        raise Refused(400, "Invalid checksum") from None
    if algorithm not in ALGORITHMS:
        raise Refused(400, "Unknown checksum algorithm")
    return verified(_body(request), algorithm, digest)


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.content.iter_chunked(CHUNK):
            yield chunk
    except (ConnectionResetError, web.RequestPayloadError):
        # What has come this far need not be sent again.
        return


def _length(request: web.Request) -> int:
    text = request.headers.get("Upload-Length")
    if text is None or not text.isdecimal() or len(text) > 18:
        raise Refused(400, "Upload-Length or Upload-Defer-Length header required")
    return int(text)


def _metadata(header: str | None) -> dict[str, str | None]:
    if not header:
        raise Refused(400, _INVALID)
    found: dict[str, str | None] = {}
    for pair in header.split(","):
        name, _, value = pair.strip().partition(" ")
        try:
            text = base64.b64decode(value, validate=True).decode() if value else None
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidPayload(_INVALID) from None
        if not name or (text and "\0" in text):
            raise InvalidPayload(_INVALID)
        found[name] = text
    return found


def _wire_metadata(upload: Unfinished) -> str:
    """The metadata of an upload in the form it was sent in."""
    pairs = []
    for name, value in upload.state["metadata"].items():
        pairs.append(name if value is None else f"{name} {base64.b64encode(value.encode()).decode()}")
    return ",".join(pairs)


def _expires(request: web.Request, begun: datetime) -> str:
    seconds = request.app[SETTINGS].files.tus_expiration
    return format_datetime(begun.astimezone(UTC) + timedelta(seconds=seconds), usegmt=True)


def _plain(status: int, text: str, headers: dict[str, str]) -> web.Response:
    response = web.Response(status=status, headers={**PLAIN, "Tus-Resumable": VERSION, **headers})
    if text:
        response.text = text
    return response


def routes() -> list[web.RouteDef]:
    """The routes, where the settings allow resumable uploads."""
    path = "/files/tus/{upload}"
    return [
        web.post("/files/tus", create),
        web.head(path, head),
        web.patch(path, patch),
        web.delete(path, delete),
        web.options(path, options),
    ]
