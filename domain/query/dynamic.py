"""Dynamic variables of a query's filters: ``$NOW(-1 day)``, ``$CURRENT_USER``, ``$CURRENT_ROLES`` ..."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal, cast

from domain.access.caller import Caller
from domain.query.operands import Dynamic

_NOW = re.compile(r"\$NOW(?:\((.*)\))?", re.DOTALL)
_SHIFT = re.compile(r"\s*([+-]?)\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")
_CALLER = re.compile(r"\$CURRENT_(USER|ROLES|ROLE|POLICIES)((?:\.[\w$()]+)*)")
_UNITS: Mapping[str, str] = {
    spelling: unit
    for unit, spellings in {
        "milliseconds": "ms msec msecs millisecond milliseconds",
        "seconds": "s sec secs second seconds",
        "minutes": "m min mins minute minutes",
        "hours": "h hr hrs hour hours",
        "days": "d day days",
        "weeks": "w week weeks",
        "months": "mo mth mths month months",
        "years": "y yr yrs year years",
    }.items()
    for spelling in spellings.split()
}
_LARGEST_SHIFT = 1_000_000_000.0

CallerName = Literal["user", "role", "roles", "policies"]


def variable(text: str) -> tuple[Dynamic, tuple[str, ...]] | None:
    """The variable that a text names, and the path behind it; None for an ordinary text."""
    if now := _NOW.fullmatch(text):
        return Dynamic("now", _shift(now[1] or "")), ()
    if caller := _CALLER.fullmatch(text):
        return Dynamic(cast("CallerName", caller[1].lower())), tuple(caller[2].split(".")[1:])
    return None


def is_list(dynamic: Dynamic) -> bool:
    """Whether the variable stands for several values."""
    return dynamic.name in ("roles", "policies")


def is_missing(dynamic: Dynamic, caller: Caller) -> bool:
    """Whether the caller has no user, or no role, that the variable could stand for."""
    return (dynamic.name == "user" and caller.user is None) or (
        dynamic.name == "role" and caller.role is None
    )


def value(dynamic: Dynamic, caller: Caller, now: datetime) -> str | tuple[str, ...] | None:
    """What a variable stands for in one request, as text."""
    if dynamic.name == "now":
        moment = shifted(now, dynamic.shift).astimezone(UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    if dynamic.name == "user":
        return None if caller.user is None else str(caller.user)
    if dynamic.name == "role":
        return None if caller.role is None else str(caller.role)
    return tuple(str(key) for key in (caller.roles if dynamic.name == "roles" else caller.policies))


def shifted(moment: datetime, shift: tuple[tuple[str, float], ...]) -> datetime:
    """A moment moved by amounts of units; months and years keep the day where the month has it."""
    for unit, amount in shift:
        try:
            if unit in ("months", "years"):
                moment = _months(moment, round(amount * (12 if unit == "years" else 1)))
            else:
                moment += timedelta(**{unit: amount})
        except (OverflowError, ValueError):
            return moment
    return moment


def _shift(text: str) -> tuple[tuple[str, float], ...]:
    match = _SHIFT.fullmatch(text)
    if match is None:
        return ()
    unit = _UNITS.get(match[3].lower() or "d")
    amount = float(match[2])
    if unit is None or amount > _LARGEST_SHIFT:
        return ()
    return ((unit, -amount if match[1] == "-" else amount),)


def _months(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
