"""Members of small request bodies."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from domain.errors import InvalidPayload


def text_of(body: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    """A text member; empty when it is neither there nor required.

    Raises:
        InvalidPayload
    """
    if name not in body:
        if required:
            raise InvalidPayload(f'"{name}" is required')
        return ""
    value = body[name]
    if not isinstance(value, str):
        raise InvalidPayload(f'"{name}" must be a string')
    if required and not value:
        raise InvalidPayload(f'"{name}" is not allowed to be empty')
    return value


def refuse_others(body: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse members that mean nothing here.

    Raises:
        InvalidPayload
    """
    for name in body:
        if name not in known:
            raise InvalidPayload(f'"{name}" is not allowed')
