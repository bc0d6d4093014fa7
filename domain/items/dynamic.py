"""Dynamic variables in validation rules and presets, at the moment they are used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from domain.access.caller import Caller
from domain.access.variables import plain_values, put_in
from domain.query import dynamic


def resolved(value: Any, caller: Caller) -> Any:
    """A rule or preset with the caller's values and the current moment in the place of variables."""
    return _with_moment(put_in(value, plain_values(caller)), caller, datetime.now(UTC))


def _with_moment(value: Any, caller: Caller, now: datetime) -> Any:
    if isinstance(value, str):
        found = dynamic.variable(value) if value.startswith("$NOW") else None
        return value if found is None else dynamic.value(found[0], caller, now)
    if isinstance(value, Mapping):
        return {name: _with_moment(entry, caller, now) for name, entry in value.items()}
    if isinstance(value, list):
        return [_with_moment(entry, caller, now) for entry in value]
    return value
