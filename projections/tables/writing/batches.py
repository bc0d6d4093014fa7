"""Many rows as the JSON that one statement reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from domain.items.rows import Row
from projections.tables.writing.statements import Mixed


def mixed_of(rows: Sequence[Row]) -> Mixed:
    """All columns that any of the rows has, and which not all have."""
    first = rows[0].cells.keys()
    if all(row.cells.keys() == first for row in rows):
        return Mixed(tuple(first))
    everywhere = set(first)
    anywhere = set(first)
    for row in rows:
        everywhere &= row.cells.keys()
        anywhere |= row.cells.keys()
    return Mixed(tuple(sorted(anywhere)), frozenset(anywhere - everywhere))


def new_rows(rows: Sequence[Row], mixed: Mixed) -> list[str]:
    """The lists of rows to create, one for each of the labels of ``mixed``, as JSON."""
    if not mixed.columns:
        return [_dump([0] * len(rows))]
    if not mixed.partial:
        return [_dump(values) for values in zip(*(row.cells.values() for row in rows), strict=True)]
    return [
        *(_dump([row.cells.get(column) for row in rows]) for column in mixed.columns),
        *(
            _dump([True if column in row.cells else None for row in rows])
            for column in mixed.columns
            if column in mixed.partial
        ),
    ]


def new_row(row: Row, mixed: Mixed) -> str:
    """One row to create, as the JSON of an array of rows."""
    return _dump([_partial(row, mixed)])


def changed_rows(rows: Sequence[Row], keys: Sequence[Sequence[str]], mixed: Mixed) -> str:
    """The JSON of rows to change, with the texts of their keys' columns."""
    documents: list[dict[str, Any]] = []
    for number, (row, key) in enumerate(zip(rows, keys, strict=True), 1):
        document = _partial(row, mixed)
        document["n"] = number
        document["fields"] = list(row.cells)
        for place, part in enumerate(key):
            document[f"k{place}"] = part
        documents.append(document)
    return _dump(documents)


def keyed_rows(keys: Sequence[Sequence[str]]) -> str:
    """The JSON of keys alone."""
    return _dump(
        [
            {"n": number, **{f"k{place}": part for place, part in enumerate(key)}}
            for number, key in enumerate(keys, 1)
        ]
    )


def metas(rows: Sequence[Row], notes: Mapping[str, Any]) -> tuple[str, str]:
    """The ending of the statement, and the metas of the rows' events as its parameter."""
    first = rows[0].meta(notes)
    each = [first if row is rows[0] else row.meta(notes) for row in rows]
    if all(meta == first for meta in each):
        return "with_one_meta", first.decode()
    return "with_metas", (b"[" + b",".join(each) + b"]").decode()


def _partial(row: Row, mixed: Mixed) -> dict[str, Any]:
    document: dict[str, Any] = {}
    cells = row.cells
    for place, column in enumerate(mixed.columns):
        if column in cells:
            document[f"c{place}"] = cells[column]
            if column in mixed.partial:
                document[f"p{place}"] = True
    return document


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()
