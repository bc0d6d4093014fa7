"""Fields that fill themselves: times, users, roles, generated keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from domain.access.caller import Caller
from domain.items.shape import Shape, WritableField

_NOTHING: Mapping[str, Any] = {}


def filled_on_create(shape: Shape, payload: Mapping[str, Any], caller: Caller) -> Mapping[str, Any]:
    """The values of specials for a new item; they override what the payload says, except a given UUID."""
    if not shape.on_create:
        return _NOTHING
    filled: dict[str, Any] = {}
    for name, special in shape.on_create:
        if special == "uuid":
            if payload.get(name) in (None, ""):
                filled[name] = str(uuid4())
        else:
            filled[name] = _value(special, shape.writables[name], caller)
    return filled


def filled_on_update(shape: Shape, caller: Caller) -> Mapping[str, Any]:
    """The values of specials for a change of an item."""
    if not shape.on_update:
        return _NOTHING
    return {name: _value(special, shape.writables[name], caller) for name, special in shape.on_update}


def _value(special: str, entry: WritableField, caller: Caller) -> Any:
    if special.startswith("user-"):
        return None if caller.user is None else str(caller.user)
    if special.startswith("role-"):
        return None if caller.role is None else str(caller.role)
    return now_for(entry)


def now_for(entry: WritableField) -> str:
    """The current moment, to the millisecond, in a form the column takes."""
    moment = datetime.now(UTC)
    if entry.column.base_type == "time without time zone":
        return moment.time().isoformat("milliseconds")
    return moment.isoformat(timespec="milliseconds")
