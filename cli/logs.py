"""What the processes write about themselves: to stderr, as text or as JSON lines, without secrets.

Secrets are taken out of every line once more here, whoever wrote it: an error of the HTTP parser, say, quotes
the URL that it could not read.
"""

import json
import logging
import sys
from datetime import UTC, datetime

from domain.log_lines import given, redact
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
            "message": redact(record.getMessage()),
            **given(record),
        }
        if record.exc_info:
            members["trace"] = redact(self.formatException(record.exc_info))
        return json.dumps(members, default=str, ensure_ascii=False)
