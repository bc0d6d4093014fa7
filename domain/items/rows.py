"""From the scalar members of a payload to the cells of a row, and to what the log keeps of the submission."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from domain.access.secrets import masked_error
from domain.errors import ActaError, Forbidden, InvalidPayload, ValueOutOfRange, ValueTooLong
from domain.items.shape import Shape, WritableField
from domain.items.values import Refused


@dataclass(slots=True)
class Row:
    """Cells to write. ``cells`` are in order of their names, so that equal sets of columns share a statement.

    ``fields`` are the submitted names in the client's order; ``submitted`` holds those values the log's
    payload does not repeat as they came.
    """

    cells: dict[str, str | None]
    fields: list[str]
    submitted: dict[str, Any]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, sorted."""
        return tuple(self.cells)

    def meta(self, notes: Mapping[str, Any]) -> bytes:
        """The ``meta`` of the row's event."""
        meta: dict[str, Any] = {"fields": self.fields}
        if self.submitted:
            meta["submitted"] = self.submitted
        if notes:
            meta |= notes
        return _dump(meta)


def row_of(
    shape: Shape,
    payload: Mapping[str, Any],
    *,
    filled: Mapping[str, Any],
    hashes: Mapping[str, str],
    skip: Iterable[str] = (),
    tell_filled: bool = False,
) -> Row:
    """The row of a payload.

    ``filled`` are values of specials, which win over the payload's; with ``tell_filled`` they count as
    submitted. ``hashes`` replace the values of hashed fields. ``skip`` names members to leave out (the key
    on update).

    Raises:
        ActaError: for a value its column can't hold.
    """
    writables = shape.writables
    cells: dict[str, str | None] = {}
    fields: list[str] = []
    submitted: dict[str, Any] = {}
    for name, value in payload.items():
        entry = writables.get(name)
        if entry is None or name in skip:
            continue
        fields.append(name)
        if name in filled:
            continue
        if name in hashes:
            cells[name] = hashes[name]
            continue
        cells[name] = text = cell(shape, entry, value)
        if value is not None and (type(value) not in entry.repeats or text is None):
            submitted[name] = value
    for name, value in filled.items():
        cells[name] = cell(shape, writables[name], value)
        if tell_filled and name not in payload:
            fields.append(name)
    if len(cells) > 1:
        cells = {name: cells[name] for name in sorted(cells)}
    return Row(cells, fields, submitted)


def cell(shape: Shape, entry: WritableField, value: Any) -> str | None:
    """The text of one value.

    Raises:
        InvalidPayload, ValueTooLong, ValueOutOfRange: for a value the column can't hold.
        Forbidden: when the column is the primary key.
    """
    if not entry.writable:
        raise InvalidPayload(
            f'Field "{entry.field.name}" in collection "{shape.name}" is generated and can\'t be written'
        )
    if value is None:
        return None
    try:
        return entry.convert(value)
    except Refused as refused:
        raise refusal(shape, entry, value, refused) from refused


def refusal(shape: Shape, entry: WritableField, value: Any, refused: Refused) -> ActaError:
    """The error that a refused value is answered with."""
    name = entry.field.name
    if refused.why == "length":
        return masked_error(ValueTooLong(shape.name, name, value=value), secret=entry.field.secret)
    if refused.why == "range":
        return masked_error(ValueOutOfRange(shape.name, name, value=value), secret=entry.field.secret)
    if entry.column.primary_key:
        return Forbidden()
    return InvalidPayload(f'Field "{name}" in collection "{shape.name}" has to be {refused.expected}')


def _dump(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        # Integers beyond 64 bits: numerics take them, orjson does not.
        return json.dumps(value).encode()
