"""The one exception of the converters."""

from typing import Literal


class Refused(Exception):
    """A value its column can't hold: unreadable (``invalid``), too long or out of range."""

    def __init__(self, expected: str, why: Literal["invalid", "length", "range"] = "invalid") -> None:
        super().__init__(expected)
        self.expected = expected
        self.why = why
