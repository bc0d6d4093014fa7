"""The forms in which secrets are stored: sealed, or hashed by Argon2.

Hashes are made outside the event loop: one takes tens of milliseconds by design.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from argon2 import PasswordHasher

from domain.items.rows import refusal
from domain.items.shape import Shape
from domain.items.values import Refused
from domain.items.values.texts import plain

_HASHER = PasswordHasher()
_NOTHING: Mapping[str, str] = {}


async def stored_secrets(
    shape: Shape, payloads: Sequence[Mapping[str, Any]], seal: Callable[[str], str]
) -> list[Mapping[str, str]]:
    """The stored forms of each payload's hashed and sealed fields; empty texts and null stay as they are."""
    if not shape.hashed and not shape.sealed:
        return [_NOTHING] * len(payloads)
    wanted = [
        (place, name, _text(shape, name, payload[name]))
        for place, payload in enumerate(payloads)
        for name in shape.hashed
        if payload.get(name) not in (None, "")
    ]
    made = await asyncio.gather(*(asyncio.to_thread(_HASHER.hash, text) for _, _, text in wanted))
    found = [
        {
            name: seal(_text(shape, name, payload[name]))
            for name in shape.sealed
            if payload.get(name) not in (None, "")
        }
        for payload in payloads
    ]
    for (place, name, _), text in zip(wanted, made, strict=True):
        found[place][name] = text
    return list(found)


def _text(shape: Shape, name: str, value: Any) -> str:
    try:
        return plain(value)
    except Refused as refused:
        raise refusal(shape, shape.writables[name], value, refused) from refused
