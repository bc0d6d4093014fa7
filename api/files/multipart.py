"""Multipart bodies: text parts describe the file part that follows them."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import BodyPartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from domain.errors import InvalidPayload
from domain.files.naming import title_of
from services.files.upload import Upload
from services.storage.base import CHUNK

NO_FILES = "No files were included in the body"
LONGEST_TEXT = 256 * 1024
MOST_PARTS = 1000
_WORDS = {"null": None, "true": True, "false": False}
BROKEN_FORM = (ValueError, web.RequestPayloadError, HttpProcessingError, AssertionError)


def is_multipart(request: web.Request) -> bool:
    """Whether the body is a form."""
    return request.content_type.startswith("multipart/")


async def uploads(request: web.Request) -> AsyncIterator[Upload]:
    """The files of a form in order: the bytes of one have to be read before the next is asked for.

    Raises:
        InvalidPayload: for a body that is broken off, or no form after all.
    """
    fields: dict[str, Any] = {}
    try:
        reader = await request.multipart()
        parts = 0
        while (part := await reader.next()) is not None:
            parts += 1
            if parts > MOST_PARTS:
                raise InvalidPayload("Too many parts in the body")
            if not isinstance(part, BodyPartReader):
                raise InvalidPayload("Parts of parts are not supported")
            if part.filename is None:
                if part.name:
                    fields[part.name] = await _text(part)
                continue
            if not part.filename:
                raise InvalidPayload(NO_FILES)
            yield _upload(part, fields)
            fields = {}
    except BROKEN_FORM as error:
        raise InvalidPayload(f"The body can't be read as a form: {error}") from None


def _upload(part: BodyPartReader, fields: dict[str, Any]) -> Upload:
    name = str(part.filename)
    media_type = part.headers.get(hdrs.CONTENT_TYPE, "text/plain").partition(";")[0].strip()
    upload = Upload(fields, name, media_type[:255] or "text/plain", _chunks(part), title_of(name))
    upload.sha256 = _digest(part.headers.get("Content-Digest") or part.headers.get("Repr-Digest"))
    return upload


def _digest(header: str | None) -> str | None:
    """The SHA-256 in hex of a digest field of RFC 9530; None where there is none."""
    for entry in (header or "").split(","):
        name, _, value = entry.strip().partition("=")
        if name == "sha-256":
            try:
                raw = base64.b64decode(value.strip().removeprefix(":").removesuffix(":"), validate=True)
            except binascii.Error:
                raw = b""
            if len(raw) != hashlib.sha256().digest_size:
                raise InvalidPayload("The digest of a part can't be read")
            return raw.hex()
    return None


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    try:
        while chunk := await part.read_chunk(CHUNK):
            yield bytes(chunk)
        # A part that nothing follows was cut off; the package takes that for its end.
        if part._content.at_eof():
            raise InvalidPayload("The body ends inside a file")
    except BROKEN_FORM as error:
        raise InvalidPayload(f"The body can't be read as a form: {error}") from None


async def _text(part: BodyPartReader) -> Any:
    raw = bytearray()
    while chunk := await part.read_chunk(8192):
        raw += chunk
        if len(raw) > LONGEST_TEXT:
            raise InvalidPayload(f'Part "{part.name}" is too large')
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidPayload(f'Part "{part.name}" is not UTF-8') from None
    if "\0" in text:
        raise InvalidPayload("Text can't contain NUL characters")
    return _WORDS.get(text.strip(), text)
