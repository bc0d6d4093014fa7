"""POST /utils/import/{collection}: the rows of an uploaded file, CSV or JSON."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import ExitStack
from functools import partial
from typing import IO

from aiohttp import BodyPartReader, hdrs, web

from api.background import in_background
from api.commands import command_of
from api.files.multipart import BROKEN_FORM
from api.formats.rows import READERS
from api.keys import AUTHENTICATOR, CONTEXT, IMPORTER, SETTINGS
from api.notifications import STOPPED, tell
from api.responses import empty
from domain.access.command import Command
from domain.errors import (
    ActaError,
    ContentTooLarge,
    ErrorGroup,
    InvalidPayload,
    OutOfTime,
    UnsupportedMediaType,
)
from projections.tables.importing import Rows

_CHUNK = 1 << 16


async def import_items(request: web.Request) -> web.Response:
    """Insert or change every row of the file, all or none; with ``background=true`` after the answer."""
    if not request.content_type.startswith("multipart/"):
        raise UnsupportedMediaType(request.content_type, "Content-Type header")
    importer, collection = request.app[IMPORTER], request.match_info["collection"]
    command = await command_of(request)
    importer.check(command, request[CONTEXT].model, collection)
    with ExitStack() as held:
        held.enter_context(importer.place())
        rows = await _received(request, held.enter_context(tempfile.TemporaryFile()))
        if request.query.get("background") == "true":
            in_background(request.app, _carry_out_and_tell(request, command, rows, held.pop_all()))
        else:
            await _carry_out(request, command, rows)
    return empty()


def routes() -> list[web.RouteDef]:
    """The route."""
    return [web.post("/utils/import/{collection}", import_items)]


async def _received(request: web.Request, file: IO[bytes]) -> Rows:
    """The rows of the request's file, which is kept in ``file``."""
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.filename is None:
                continue
            media = part.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
            if media not in READERS:
                raise UnsupportedMediaType(media, "file import")
            await _keep(part, file, request.app[SETTINGS].imports.largest)
            return partial(READERS[media], file)
    except BROKEN_FORM as error:
        raise InvalidPayload(f"The body can't be read as a form: {error}") from None
    raise InvalidPayload("The request holds no file")


async def _keep(part: BodyPartReader, file: IO[bytes], largest: int) -> None:
    size = 0
    while chunk := await part.read_chunk(_CHUNK):
        size += len(chunk)
        if size > largest:
            raise ContentTooLarge()
        file.write(chunk)
    # A part that nothing follows was cut off; the package takes that for its end.
    if part._content.at_eof():
        raise InvalidPayload("The body ends inside the file")


async def _carry_out(request: web.Request, command: Command, rows: Rows) -> None:
    app, seconds = request.app, request.app[SETTINGS].imports.timeout
    try:
        async with asyncio.timeout(seconds):
            await app[IMPORTER].run(command, request[CONTEXT].model, request.match_info["collection"], rows)
    except TimeoutError:
        raise OutOfTime("import", round(seconds * 1000)) from None
    finally:
        app[AUTHENTICATOR].rights.settle()


async def _carry_out_and_tell(request: web.Request, command: Command, rows: Rows, held: ExitStack) -> None:
    """Import, and tell the user how it went."""
    with held:
        try:
            await _carry_out(request, command, rows)
        except (ActaError, ErrorGroup) as error:
            await tell(request.app, command, "Your import has failed", str(error))
        except asyncio.CancelledError:
            await tell(request.app, command, "Your import has failed", STOPPED)
            raise
        except Exception:
            await tell(request.app, command, "Your import has failed", "")
            raise
        else:
            await tell(request.app, command, "Your import has been successful", "")
