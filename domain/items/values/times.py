"""Dates and times: ISO 8601 in, the server's time zone (UTC) where an offset has to go."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from domain.items.values.refused import Refused

_ZERO = "0000-00-00"
_STARTS_LIKE_A_DATE = re.compile(r"\d{4}-?(\d\d|W\d\d)", re.ASCII)
_TIME = re.compile(
    r"(?P<hour>\d\d):(?P<minute>\d\d)(:(?P<second>\d\d)(\.\d+)?)?(?P<zone>Z|[+-]\d\d(:?\d\d)?)?", re.ASCII
)


def date(value: Any) -> str | None:
    """A ``date``: with a time and offset it is shifted to UTC first, then cut."""
    moment = _moment(value, "a date")
    return None if moment is None else _utc(moment).date().isoformat()


def date_time(value: Any) -> str | None:
    """A ``timestamp``: an offset is converted to UTC and dropped, and so is the fraction of the second."""
    moment = _moment(value, "a date and time")
    return None if moment is None else _utc(moment).replace(tzinfo=None, microsecond=0).isoformat()


def timestamp(value: Any) -> str | None:
    """A ``timestamptz``: without an offset it is UTC."""
    moment = _moment(value, "a timestamp")
    return None if moment is None else _utc(moment).isoformat()


def time(value: Any) -> str:
    """A ``time``: ``HH:MM[:SS[.fff]]``."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None or match["zone"]:
        raise Refused("a time")
    return _checked_time(match)


def time_with_zone(value: Any) -> str:
    """A ``timetz``: as :func:`time`, with an offset or in UTC."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Refused("a time")
    return _checked_time(match)


def _checked_time(match: re.Match[str]) -> str:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    midnight = hour == 24 and minute == 0 and not match[0][6:].strip("0.:")
    if minute > 59 or second > 59 or (hour > 23 and not midnight):
        raise Refused("a time")
    return match[0]


def _moment(value: Any, expected: str) -> datetime | None:
    if not isinstance(value, str):
        raise Refused(expected)
    if value.startswith(_ZERO):
        return None
    if not _STARTS_LIKE_A_DATE.match(value) or not value.isascii():
        raise Refused(expected)
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise Refused(expected) from error


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise Refused("a date between the years 1 and 9999") from error
