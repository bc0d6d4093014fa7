"""How secrets are shown, and in which form tokens are kept.

That form is good enough for texts that can't be guessed, and useless to a thief.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any, Final

from domain.errors import ActaError

MASK: Final = "**********"
"""What stands for a secret wherever one would be shown."""


def digest(token: str) -> str:
    """The SHA-256 of a static or refresh token: 64 hexadecimal digits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def masked(payload: Mapping[str, Any], secret: Collection[str]) -> dict[str, Any]:
    """A payload with the mask for the values of ``secret`` fields that have any."""
    return {name: MASK if name in secret and value is not None else value for name, value in payload.items()}


def masked_error(error: ActaError, *, secret: bool) -> ActaError:
    """An error about a field, which repeats no value where the field is ``secret``."""
    if secret:
        for name in error.extensions.keys() & {"value", "invalid"}:
            error.extensions[name] = MASK
    return error
