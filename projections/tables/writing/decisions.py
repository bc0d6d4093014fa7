"""What a command does to one collection, decided before any SQL: rows, keys, and the conditions on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.access.command import Command
from domain.errors import Forbidden, InvalidPayload
from domain.items.checks import accepted, covering, validate
from domain.items.rows import Row, row_of
from domain.items.shape import Shape
from domain.items.specials import filled_on_create, filled_on_update
from projections.tables.writing.conditions import Condition, condition_of

Payload = dict[str, Any]


def new_item(shape: Shape, command: Command, payload: Payload) -> Payload:
    """The payload of an item to create, permitted and valid."""
    given = accepted(shape, command, "create", payload)
    validate(shape, command, "create", given)
    return given


def change(shape: Shape, command: Command, payload: Payload) -> Payload:
    """The payload of an item to change, permitted and valid."""
    given = accepted(shape, command, "update", payload)
    validate(shape, command, "update", given)
    return given


def new_row(shape: Shape, command: Command, given: Mapping[str, Any], hashes: Mapping[str, str]) -> Row:
    """The row of a new item."""
    return row_of(shape, given, filled=filled_on_create(shape, given, command.caller), hashes=hashes)


def changed_row(shape: Shape, command: Command, given: Mapping[str, Any], hashes: Mapping[str, str]) -> Row:
    """The cells of a changed item; its key is no part of a change."""
    return row_of(
        shape,
        given,
        filled=filled_on_update(shape, command.caller) if command.stamps else {},
        hashes=hashes,
        skip=shape.collection.primary_key,
        tell_filled=True,
    )


def distinct_keys(shape: Shape, keys: Sequence[str]) -> list[tuple[str, ...]]:
    """The keys' columns, each key once, in order."""
    return list(dict.fromkeys(map(shape.key_texts, keys)))


def named_key(shape: Shape, payload: Mapping[str, Any]) -> str:
    """The key that a payload of a batch carries.

    Raises:
        InvalidPayload: when it carries none.
    """
    key = shape.key_in(payload)
    if key is None:
        raise InvalidPayload("Every item has to carry its primary key")
    return key


def update_condition(shape: Shape, command: Command, names: Sequence[str]) -> Condition | None:
    """What rows have to meet so that the caller may change these fields."""
    if command.rights.admin:
        return None
    return condition_of(shape, command, covering(shape, command, names))


def complete(
    found: list[str], wanted: int, shape: Shape, command: Command, names: Sequence[str]
) -> list[str]:
    """The keys found, all of those wanted unless the caller has every right.

    Raises:
        Forbidden: a row is missing, or not permitted; which of the two is never told.
    """
    if len(found) < wanted and not command.rights.admin:
        raise Forbidden.action("update", shape.name, names)
    return found


def waves(keys: Sequence[str], labels: Sequence[object]) -> list[list[int]]:
    """Places of a batch in groups that one statement can write: one label each, and no key twice."""
    found: list[tuple[object, set[str], list[int]]] = []
    last: dict[str, int] = {}
    for place, (key, label) in enumerate(zip(keys, labels, strict=True)):
        start = last.get(key, -1) + 1
        for number in range(start, len(found)):
            if found[number][0] == label:
                break
        else:
            number = len(found)
            found.append((label, set(), []))
        found[number][1].add(key)
        found[number][2].append(place)
        last[key] = number
    return [places for _, _, places in found]
