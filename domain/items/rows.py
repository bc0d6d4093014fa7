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
from domain.items.values import Converter, Refused


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
    submitted. ``hashes`` replace the values of hashed and encrypted fields. ``skip`` names members to leave
    out (the key on update).

    Raises:
        ActaError: for a value its column can't hold.
    """
    names = tuple(payload)
    key = (names, tuple(filled), tuple(hashes), tuple(skip), tell_filled)
    recipe = shape.recipes.get(key)
    if recipe is None:
        recipe = _recipe(shape, *key)
        shape.recipes.put(key, recipe)
    texts: list[str | None] = [None] * len(recipe.columns)
    submitted: dict[str, Any] = {}
    for name, place, convert, repeats in recipe.converted:
        value = payload[name]
        if value is None:
            continue
        try:
            texts[place] = text = convert(value)
        except Refused as refused:
            raise refusal(shape, shape.writables[name], value, refused) from refused
        if type(value) not in repeats or text is None:
            submitted[name] = value
    for name, place in recipe.hashed:
        texts[place] = hashes[name]
    for name, place, entry in recipe.filled:
        texts[place] = cell(shape, entry, filled[name])
    return Row(dict(zip(recipe.columns, texts, strict=True)), list(recipe.fields), submitted)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How payloads with the same members become rows: the columns in order of their names, and for each of
    them where its text comes from, with its place among the columns."""

    columns: tuple[str, ...]
    fields: tuple[str, ...]
    converted: tuple[tuple[str, int, Converter, frozenset[type]], ...]
    hashed: tuple[tuple[str, int], ...]
    filled: tuple[tuple[str, int, WritableField], ...]


def _recipe(
    shape: Shape,
    names: tuple[str, ...],
    filled: tuple[str, ...],
    hashes: tuple[str, ...],
    skip: tuple[str, ...],
    tell_filled: bool,
) -> Recipe:
    writables = shape.writables
    fields = [name for name in names if name in writables and name not in skip]
    columns = tuple(sorted({*fields, *filled}))
    place = {name: number for number, name in enumerate(columns)}
    sent = [name for name in fields if name not in filled]
    for name in sent:
        if name not in hashes:
            _require_writable(shape, writables[name])
    told = [name for name in filled if name not in names] if tell_filled else []
    plain = [(name, writables[name]) for name in sent if name not in hashes]
    return Recipe(
        columns,
        (*fields, *told),
        tuple((name, place[name], entry.convert, entry.repeats) for name, entry in plain),
        tuple((name, place[name]) for name in sent if name in hashes),
        tuple((name, place[name], writables[name]) for name in filled),
    )


def cell(shape: Shape, entry: WritableField, value: Any) -> str | None:
    """The text of one value.

    Raises:
        InvalidPayload, ValueTooLong, ValueOutOfRange: for a value the column can't hold.
        Forbidden: when the column is the primary key.
    """
    _require_writable(shape, entry)
    if value is None:
        return None
    try:
        return entry.convert(value)
    except Refused as refused:
        raise refusal(shape, entry, value, refused) from refused


def _require_writable(shape: Shape, entry: WritableField) -> None:
    if not entry.writable:
        raise InvalidPayload(
            f'Field "{entry.field.name}" in collection "{shape.name}" is generated and can\'t be written'
        )


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
