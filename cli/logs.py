"""What the processes write about themselves: to stderr, as text or as JSON lines, without secrets.

Secrets are taken out of every line once more here, whoever wrote it: an error of the HTTP parser, say, quotes
the URL that it could not read.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime

from domain.settings import LogSettings

LEVELS = {
    "fatal": logging.CRITICAL,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": logging.DEBUG,
    "silent": logging.CRITICAL + 1,
}
REDACTED = "--redacted--"
_SECRET = re.compile(r"(?i)((?:access_token|refresh_token|password)=|authorization: *bearer +)[^&\s'\"#]+")
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(settings: LogSettings) -> None:
    """Set up logging for this process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.style == "raw" else Lines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(LEVELS[settings.level])


class Lines(logging.Formatter):
    """One line of text, and the trace of an exception below it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record, redacted."""
        return redact(super().format(record))


class JsonLines(logging.Formatter):
    """One JSON object per line, with the members a record was given."""

    def format(self, record: logging.LogRecord) -> str:
        """The JSON of a record, redacted."""
        members: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _OWN},
        }
        if record.exc_info:
            members["trace"] = self.formatException(record.exc_info)
        plain = {name: redact(value) if isinstance(value, str) else value for name, value in members.items()}
        return json.dumps(plain, default=str, ensure_ascii=False)


def redact(text: str) -> str:
    """A text without the tokens and passwords in it."""
    return _SECRET.sub(lambda match: match[1] + REDACTED, text)
