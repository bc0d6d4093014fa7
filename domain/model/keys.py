"""The text form of a primary key: in URLs, in the log (``acta.events.item``), in activity.

A key of one column is the value's own text. A composite key joins its columns' texts, in key
order, by commas; a comma or per cent sign inside a part is written ``%2C`` or ``%25``.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import Forbidden


def join_key(parts: Sequence[object]) -> str:
    """The text form of a key given its columns' values."""
    if len(parts) == 1:
        return str(parts[0])
    return ",".join(str(part).replace("%", "%25").replace(",", "%2C") for part in parts)


def split_key(text: str, columns: int) -> tuple[str, ...]:
    """The columns' texts of a key.

    Raises:
        Forbidden: when the number of parts does not fit (a malformed key tells nothing more).
    """
    if columns == 1:
        return (text,)
    parts = tuple(part.replace("%2C", ",").replace("%25", "%") for part in text.split(","))
    if len(parts) != columns:
        raise Forbidden()
    return parts


def key_text(key: object) -> str:
    """One key as text; what can't be a key can't be found either.

    Raises:
        Forbidden: for anything but texts and numbers.
    """
    if isinstance(key, str):
        return key
    if isinstance(key, bool) or not isinstance(key, (int, float)):
        raise Forbidden()
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    return str(key)
