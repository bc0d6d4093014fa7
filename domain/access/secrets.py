"""The form in which tokens are kept: good enough for texts that can't be guessed, useless to a thief."""

from __future__ import annotations

import hashlib


def digest(token: str) -> str:
    """The SHA-256 of a static or refresh token: 64 hexadecimal digits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
