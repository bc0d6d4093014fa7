"""Fixed SQL, kept in ``.sql`` files beside this module: one file per subject, named statements in it.

A statement starts with ``-- name: append`` and at least one more comment line that says what it is for::

    -- name: last_position
    -- The highest position given out so far; 0 for an empty log.
    select coalesce(max(last_position), 0) from acta.seals;

Parameters are psycopg's (``%(name)s``). ``load`` returns `psycopg.sql.SQL` objects: execute them as they
are, or ``.format(...)`` those that hold ``{placeholders}`` for identifiers. Files without any ``-- name:``
(schemas, migrations) are read by ``script``.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import LiteralString

from psycopg import sql

_FOLDER = Path(__file__).parent
_HEADER = re.compile(r"^-- name: *(\w+) *\n", re.MULTILINE)


class StatementError(Exception):
    """A ``.sql`` file of ours that breaks its own rules: a mistake in the code, found at import."""


@cache
def load(subject: str) -> Mapping[str, sql.SQL]:
    """The named statements of ``<subject>.sql`` (``log/append``), by name."""
    head, *parts = _HEADER.split(_text(subject))
    if not parts:
        raise StatementError(f"{subject}.sql holds no named statement")
    if any(line and not line.startswith("--") for line in head.splitlines()):
        raise StatementError(f"{subject}.sql holds SQL before the first name")
    statements: dict[str, sql.SQL] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in statements:
            raise StatementError(f"{subject}.sql names {name} twice")
        statements[name] = sql.SQL(_statement(subject, name, body))
    return MappingProxyType(statements)


@cache
def script(path: str) -> sql.SQL:
    """A whole ``.sql`` file of several statements without parameters (``log/schema``)."""
    return sql.SQL(_text(path))


def _text(subject: str) -> LiteralString:
    return (_FOLDER / f"{subject}.sql").read_text(encoding="utf-8")


def _statement(subject: str, name: str, body: str) -> LiteralString:
    lines = body.strip().splitlines()
    if not lines or not lines[0].startswith("-- "):
        raise StatementError(f"{subject}.sql: {name} says nothing of its purpose")
    text = "\n".join(line for line in lines if not line.lstrip().startswith("--"))
    text = text.strip().rstrip(";").rstrip()
    if not text:
        raise StatementError(f"{subject}.sql: {name} is empty")
    return text
