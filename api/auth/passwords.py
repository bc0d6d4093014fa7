"""Passwords: argon2id, always off the event loop, and taking as long for nobody as for somebody."""

from __future__ import annotations

import asyncio
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

HASHER = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4)


async def hash_text(text: str) -> str:
    """The argon2 hash of a text."""
    return await asyncio.to_thread(HASHER.hash, text)


async def verify(stored: str | None, text: str) -> bool:
    """Whether a text is what was hashed; without a hash the answer is no, after the usual time."""
    return await asyncio.to_thread(_verify, stored, text)


async def verify_strict(stored: str, text: str) -> bool:
    """As `verify`, but raises ValueError when ``stored`` is no hash."""
    return await asyncio.to_thread(_compare, stored, text)


def _verify(stored: str | None, text: str) -> bool:
    try:
        return _compare(stored or _nobodys(), text) and stored is not None
    except ValueError:
        return False


def _compare(stored: str, text: str) -> bool:
    try:
        return HASHER.verify(stored, text)
    except InvalidHashError as error:
        raise ValueError("not an argon2 hash") from error
    except Argon2Error:
        return False


@cache
def _nobodys() -> str:
    return HASHER.hash("nobody has this password")
