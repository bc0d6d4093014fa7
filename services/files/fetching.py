"""Files from elsewhere: fetched from a URL, stored while they arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import aiohttp

from domain.errors import InvalidPayload, ServiceUnavailable
from domain.files.naming import allowed_type, clean_filename, title_of
from services.files.upload import Upload
from services.storage.base import CHUNK
from services.web.guarded import GuardedClient, Unreachable

OCTETS = "application/octet-stream"


@asynccontextmanager
async def fetched(
    client: GuardedClient,
    url: str,
    fields: Mapping[str, Any],
    allowed: Sequence[str],
    wanted: Sequence[str],
) -> AsyncIterator[Upload]:
    """A file at a URL, ready to be stored. ``allowed`` and ``wanted`` are types, as patterns.

    Raises:
        ServiceUnavailable: when it can't be fetched.
        InvalidPayload: for a type that is not allowed.
    """
    failure = ServiceUnavailable("external-file", f'Couldn\'t fetch file from URL "{url}"')
    try:
        async with client.request("GET", url) as response:
            if response.status >= 400:
                raise failure
            media_type = response.headers.get("Content-Type", "").partition(";")[0].strip() or OCTETS
            _check(media_type, allowed, "your global")
            _check(media_type, wanted, "this field's")
            last = unquote(response.url.raw_path.rpartition("/")[2])
            name = clean_filename(last) or response.url.host or "file"
            title = title_of(name, with_extension=True)
            yield Upload(fields, name, media_type[:255], _chunks(response, failure), title)
    except Unreachable:
        raise failure from None


def _check(media_type: str, patterns: Sequence[str], whose: str) -> None:
    if not allowed_type(media_type, patterns):
        raise InvalidPayload(
            f'File content type "{media_type}" is not allowed for upload by {whose} file type restrictions'
        )


async def _chunks(response: aiohttp.ClientResponse, failure: ServiceUnavailable) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_chunked(CHUNK):
            yield chunk
    except (aiohttp.ClientError, OSError, TimeoutError):
        raise failure from None
