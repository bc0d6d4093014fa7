"""Items as CSV: texts always quoted, nested objects as columns ``a.b``, lists as JSON, null as nothing.

The columns are those of all rows, in the order they are first seen. Rows are separated by a line feed;
there is none at the end, and nothing at all without rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson


def dump(value: Any) -> str:
    """Rows, or one row, as CSV text."""
    rows = [flat(row) for row in (value if isinstance(value, list) else [value])]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if not columns:
        return ""
    lines = [",".join(quoted(name) for name in columns)]
    lines.extend(",".join(cell(row.get(name)) for name in columns) for row in rows)
    return "\n".join(lines)


def flat(row: Any) -> dict[str, Any]:
    """A row's values by column: nested objects are columns ``a.b``."""
    return dict(_flat(row))


def cell(value: Any) -> str:
    """One value of a row."""
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, (dict, list)):
        return quoted(orjson.dumps(value).decode())
    return orjson.dumps(value).decode()


def quoted(text: str) -> str:
    """A text in quotation marks."""
    return '"' + text.replace('"', '""') + '"'


def _flat(row: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(row, Mapping):
        yield prefix.removesuffix("."), row
        return
    for name, value in row.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
