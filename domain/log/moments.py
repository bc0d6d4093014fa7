"""Moments of the log as people write them: a position, a time, a time ago, the request of a command."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from domain.errors import InvalidPayload

When: TypeAlias = int | datetime | UUID

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,6})([smhdw])")
_LONGEST_POSITION = 18


def parse_when(text: str, name: str = "when") -> When:
    """The moment of a text; times without a zone are UTC.

    Raises:
        InvalidPayload: for a text that is none; it says which member held it.
    """
    given = text.strip()
    if given.isascii() and given.isdigit() and len(given) <= _LONGEST_POSITION:
        return int(given)
    ago = _AGO.fullmatch(given)
    try:
        if ago:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        if len(given) == 36 and given.count("-") == 4:
            return UUID(given)
        moment = datetime.fromisoformat(given)
    except (ValueError, OverflowError):
        raise InvalidPayload(
            f'"{name}" must be a position, a time, a time ago such as 10m, or the id of a request'
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
