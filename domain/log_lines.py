"""What is common to all places that log lines go to: nothing secret in them, and what a record was given."""

from __future__ import annotations

import logging
import re
from typing import Any

REDACTED = "--redacted--"
_SECRET = re.compile(r"(?i)((?:access_token|refresh_token|password)=|authorization: *bearer +)[^&\s'\"#]+")
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact(text: str) -> str:
    """A text without the tokens and passwords in it."""
    return _SECRET.sub(lambda match: match[1] + REDACTED, text)


def given(record: logging.LogRecord) -> dict[str, Any]:
    """The members that a record was given besides its message, texts redacted."""
    return {
        name: redact(value) if isinstance(value, str) else value
        for name, value in vars(record).items()
        if name not in _OWN
    }
