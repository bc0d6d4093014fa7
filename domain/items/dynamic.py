"""Dynamic variables in validation rules and presets, at the moment they are used."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.access.caller import Caller
from domain.access.variables import put_in

_NOW = re.compile(r"\$NOW(?:\((?P<shift>.*)\))?", re.DOTALL)
_SHIFT = re.compile(r"\s*(?P<count>[+-]?\s*\d+(?:\.\d+)?)\s*(?P<unit>[a-z]*)\s*", re.IGNORECASE | re.ASCII)
_SECONDS: Mapping[str, float] = {
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("", "d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), 604800.0),
}
_MONTHS: Mapping[str, int] = {
    **dict.fromkeys(("mo", "mos", "mth", "mths", "month", "months"), 1),
    **dict.fromkeys(("y", "yr", "yrs", "year", "years"), 12),
}


def resolved(value: Any, caller: Caller) -> Any:
    """A rule or preset with the caller's values and the current moment in the place of variables."""
    return _with_moment(put_in(value, _values(caller)), datetime.now(UTC))


def _values(caller: Caller) -> Mapping[tuple[str, str], Any]:
    return {
        ("CURRENT_USER", ""): None if caller.user is None else str(caller.user),
        ("CURRENT_ROLE", ""): None if caller.role is None else str(caller.role),
        ("CURRENT_ROLES", ""): [str(role) for role in caller.roles],
        ("CURRENT_POLICIES", ""): [str(policy) for policy in caller.policies],
    }


def _with_moment(value: Any, now: datetime) -> Any:
    if isinstance(value, str):
        match = _NOW.fullmatch(value) if value.startswith("$NOW") else None
        return (
            value if match is None else shifted(now, match["shift"] or "").isoformat(timespec="milliseconds")
        )
    if isinstance(value, Mapping):
        return {name: _with_moment(entry, now) for name, entry in value.items()}
    if isinstance(value, list):
        return [_with_moment(entry, now) for entry in value]
    return value


def shifted(moment: datetime, shift: str) -> datetime:
    """The moment moved by a shift such as ``-1 day`` or ``+2h``; one that can't be read moves nothing."""
    match = _SHIFT.fullmatch(shift)
    if match is None:
        return moment
    count, unit = float(match["count"].replace(" ", "")), match["unit"].lower()
    try:
        if unit in _MONTHS:
            return _months(moment, int(count * _MONTHS[unit]))
        return moment + timedelta(seconds=count * _SECONDS[unit]) if unit in _SECONDS else moment
    except (OverflowError, ValueError):
        return moment


def _months(moment: datetime, count: int) -> datetime:
    whole = moment.year * 12 + moment.month - 1 + count
    year, month = divmod(whole, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))
