"""Signatures by Standard Webhooks (https://www.standardwebhooks.com), version ``v1``: HMAC-SHA256."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

PREFIX: Final = "whsec_"


def key_of(secret: str) -> bytes:
    """The bytes of a secret: base64 as the standard writes it, after its prefix or without.

    Raises:
        ValueError: when it is no base64, or says nothing.
    """
    text = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise ValueError("no base64") from None
    if not key:
        raise ValueError("empty")
    return key


def message_headers(message: str, timestamp: int, body: bytes, secret: str | None) -> dict[str, str]:
    """The headers of a message; without a secret it is not signed.

    Raises:
        ValueError: when the secret can't be used.
    """
    found = {"webhook-id": message, "webhook-timestamp": str(timestamp)}
    if secret is not None:
        signed = f"{message}.{timestamp}.".encode() + body
        digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
        found["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
    return found
