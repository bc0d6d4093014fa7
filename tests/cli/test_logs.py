import json
import logging
import sys

import pytest

from cli.logs import JsonLines, Lines
from domain.log_lines import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /items?access_token=abc&x=1", "GET /items?access_token=--redacted--&x=1"),
        ("bytearray(b'/a?ACCESS_TOKEN=abc')", "bytearray(b'/a?ACCESS_TOKEN=--redacted--')"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer --redacted--"),
        ("/users/register/verify-email?token=abc", "/users/register/verify-email?token=--redacted--"),
        ("/auth/login/x/callback?code=abc&state=y", "/auth/login/x/callback?code=--redacted--&state=y"),
        ("PUT /files/presigned/eyJhbGciOiJI.eyJhdCI6.x-_y 200", "PUT /files/presigned/--redacted-- 200"),
        ("no postgresql://acta:s3cret@db/acta", "no postgresql://acta:--redacted--@db/acta"),
        ("/items/a?fields=my_token=1&sort=code", "/items/a?fields=my_token=1&sort=code"),
        ("http://127.0.0.1:8055/a@b", "http://127.0.0.1:8055/a@b"),
        ("failed: password=a@b/c:d x", "failed: password=--redacted-- x"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_secrets_are_taken_out(text: str, expected: str) -> None:
    assert redact(text) == expected


def record(message: str) -> logging.LogRecord:
    try:
        raise ValueError("password=hunter2")
    except ValueError:
        return logging.getLogger("acta").makeRecord(
            "acta", logging.ERROR, "", 0, message, (), sys.exc_info(), extra={"status": 500}
        )


def test_a_line_of_json_holds_the_members_and_the_trace() -> None:
    members = json.loads(JsonLines().format(record("failed")))
    assert members["message"] == "failed"
    assert members["status"] == 500
    assert "ValueError" in members["trace"]
    assert "hunter2" not in members["trace"]


def test_a_line_of_text_holds_the_trace_without_secrets() -> None:
    text = Lines().format(record("failed"))
    assert "ERROR acta: failed" in text
    assert "hunter2" not in text
