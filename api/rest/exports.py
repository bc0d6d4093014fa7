"""``?export=``: the same items as a file to download."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from api.formats import FORMATS, Format
from api.responses import PLAIN
from domain.errors import InvalidQuery


def wanted_format(raw: str | Mapping[str, Any]) -> Format | None:
    """The format that a query asks for; None for the usual answer.

    Raises:
        InvalidQuery: for a format that does not exist.
    """
    if isinstance(raw, str):
        # Hardly any request exports, so the common case costs one search in a short text.
        if "export" not in raw:
            return None
        name: Any = dict(parse_qsl(raw, keep_blank_values=True)).get("export")
    else:
        name = raw.get("export")
    if name is None:
        return None
    if not isinstance(name, str) or name not in FORMATS:
        raise InvalidQuery(f'"export" must be one of [{", ".join(FORMATS)}]')
    return FORMATS[name]


def answer_export(envelope: bytes, collection: str, form: Format) -> web.Response:
    """The items of an answer as an attachment; ``envelope`` is the answer without export."""
    value = orjson.loads(envelope)["data"]
    response = web.Response(body=form.text(value).encode(), headers=PLAIN)
    response.headers["Content-Type"] = form.content_type
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    response.headers["Content-Disposition"] = f'attachment; filename="{collection} {stamp}.{form.ending}"'
    return response
