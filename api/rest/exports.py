"""``?export=``: the same items as a file to download."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from multidict import CIMultiDict

from api.formats import FORMATS, Format
from api.responses import PLAIN
from domain.errors import InvalidQuery
from domain.model import Model


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


def answer_export(envelope: bytes, collection: str, form: Format, model: Model | None = None) -> web.Response:
    """The items of an answer as an attachment; ``envelope`` is the answer without export."""
    return web.Response(
        body=file_text(envelope, collection, form, model), headers=attachment(collection, form)
    )


def file_text(envelope: bytes, collection: str, form: Format, model: Model | None) -> bytes:
    """The items of an answer as a file."""
    value = orjson.loads(envelope)["data"]
    if model is not None and isinstance(value, list):
        value = [arranged(row, model, collection) for row in value]
    return form.text(value).encode()


def attachment(collection: str, form: Format) -> CIMultiDict[str]:
    """The headers of a file to download."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    headers = CIMultiDict(PLAIN)
    headers["Content-Type"] = form.content_type
    headers["Content-Disposition"] = f'attachment; filename="{collection} {stamp}.{form.ending}"'
    return headers


def arranged(row: Any, model: Model, collection: str) -> Any:
    """A row in the order of a file's columns: the item's own values before what is related."""
    if not isinstance(row, dict):
        return row
    related = [name for name, value in row.items() if _holds_related(value, model, collection, name)]
    return {name: row[name] for name in (*(name for name in row if name not in related), *related)}


def _holds_related(value: Any, model: Model, collection: str, name: str) -> bool:
    if model.side(collection, name) is None:
        return False
    listed = isinstance(value, list) and any(isinstance(entry, dict) for entry in value)
    return listed or value is None or isinstance(value, dict)
