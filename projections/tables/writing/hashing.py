"""Argon2 hashes, made outside the event loop: one takes tens of milliseconds by design."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from argon2 import PasswordHasher

from domain.items.rows import refusal
from domain.items.shape import Shape
from domain.items.values import Refused
from domain.items.values.texts import plain

_HASHER = PasswordHasher()
_NOTHING: Mapping[str, str] = {}


async def hashes_of(shape: Shape, payloads: Sequence[Mapping[str, Any]]) -> list[Mapping[str, str]]:
    """The hashes of each payload's hashed fields; empty texts and null stay as they are."""
    if not shape.hashed:
        return [_NOTHING] * len(payloads)
    wanted = [
        (place, name, _text(shape, name, payload[name]))
        for place, payload in enumerate(payloads)
        for name in shape.hashed
        if payload.get(name) not in (None, "")
    ]
    made = await asyncio.gather(*(asyncio.to_thread(_HASHER.hash, text) for _, _, text in wanted))
    found: list[dict[str, str]] = [{} for _ in payloads]
    for (place, name, _), text in zip(wanted, made, strict=True):
        found[place][name] = text
    return list(found)


def _text(shape: Shape, name: str, value: Any) -> str:
    try:
        return plain(value)
    except Refused as refused:
        raise refusal(shape, shape.writables[name], value, refused) from refused
