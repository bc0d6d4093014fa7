"""Names: which ones a collection or field may have, and what constraints and indexes are called.

Constraint names are part of the contract: clients find ``<table>_<column>_foreign`` in relations, and an
index or a unique constraint is dropped again by the name it was made with.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from domain.errors import InvalidPayload, ValueTooLong

Kind = Literal["unique", "index", "foreign"]

MAX_IDENTIFIER = 63
"""Bytes of a PostgreSQL identifier; it cuts longer ones silently, which would make two names one."""

_MAX_STORED = 64
_LIMITS: dict[Kind, int] = {"unique": 63, "index": 63, "foreign": 60}
_RESERVED_PREFIX = "directus_"


def constraint_name(table: str, column: str, kind: Kind) -> str:
    """The conventional name of a constraint or index on one column."""
    base = f"{table.replace('.', '_').replace('-', '_')}_{column}".lower()
    name = f"{base}_{kind}"
    if len(name.encode()) <= _LIMITS[kind]:
        return name
    suffix = f"__{hashlib.sha256(name.encode()).hexdigest()[:8]}_{kind}"
    kept = base.encode()[: _LIMITS[kind] - len(suffix)].decode(errors="ignore")
    return kept + suffix


def is_name(text: object) -> bool:
    """Whether PostgreSQL keeps a text as the name of something as it is."""
    return isinstance(text, str) and "\0" not in text and 0 < len(text.encode()) <= MAX_IDENTIFIER


def check_collection_name(name: Any) -> str:
    """The name for a new collection.

    Raises:
        InvalidPayload: no text, empty, reserved, holding a slash, or longer than PostgreSQL's names.
        ValueTooLong: longer than the metadata tables hold.
    """
    if name is None:
        raise InvalidPayload('"collection" is required')
    if not isinstance(name, str) or not name:
        raise InvalidPayload('"collection" must be a non-empty string')
    if name.startswith(_RESERVED_PREFIX):
        raise InvalidPayload(f'Collections can\'t start with "{_RESERVED_PREFIX}"')
    if "/" in name:
        raise InvalidPayload('Collection names can\'t contain "/"')
    if len(name) > _MAX_STORED:
        raise ValueTooLong("directus_fields", "collection", value=name)
    if len(name.encode()) > MAX_IDENTIFIER:
        raise InvalidPayload(f"Collection names can't be longer than {MAX_IDENTIFIER} bytes")
    return name


def check_field_name(name: Any) -> str:
    """The name for a new field.

    Raises:
        InvalidPayload: no text, empty, holding a dot, or longer than PostgreSQL's names.
    """
    if name is None:
        raise InvalidPayload('"field" is required')
    if not isinstance(name, str):
        raise InvalidPayload('"field" must be a string')
    if not name:
        raise InvalidPayload('"field" is not allowed to be empty')
    if "." in name:
        raise InvalidPayload('Field names can\'t contain "."')
    if len(name.encode()) > MAX_IDENTIFIER:
        raise InvalidPayload(f"Field names can't be longer than {MAX_IDENTIFIER} bytes")
    return name
