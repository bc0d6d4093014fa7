"""What is common to all places that log lines go to: nothing secret in them, and what a record was given."""

from __future__ import annotations

import logging
import re
from typing import Any

REDACTED = "--redacted--"
# Tokens and passwords by their names, those of addresses, and what is a JSON web token wherever it stands.
_SECRET = re.compile(
    r"""(?ix)
    ( (?<!\w)(?:access_token|refresh_token|id_token|token|password|code|otp)=
        | authorization:\ *\w+\ + ) [^&\s'"\#]+
    | ( ://[^/\s:@'"]*: ) [^/\s@'"]+ (?=@)
    | (?<!\w)eyJ[\w-]{8,}\.eyJ[\w-]+\.[\w-]*
    """
)
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact(text: str) -> str:
    """A text without the tokens and passwords in it."""
    return _SECRET.sub(lambda match: (match[1] or match[2] or "") + REDACTED, text)


def given(record: logging.LogRecord) -> dict[str, Any]:
    """The members that a record was given besides its message, texts redacted."""
    return {
        name: redact(value) if isinstance(value, str) else value
        for name, value in vars(record).items()
        if name not in _OWN
    }
