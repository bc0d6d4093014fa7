"""Secrets that have to be read again: encrypted with a key made of SECRET, never clear in tables or log."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX = "sealed:"


class Seal:
    """Encrypts and decrypts short texts; other secrets give other keys."""

    def __init__(self, secret: str) -> None:
        key = HKDF(SHA256(), 32, None, b"acta sealed fields").derive(secret.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(key))
        self._marking = HKDF(SHA256(), 32, None, b"acta marks").derive(secret.encode())

    def close(self, text: str) -> str:
        """The text, sealed."""
        return PREFIX + self._fernet.encrypt(text.encode()).decode()

    def open(self, stored: str) -> str | None:
        """The text that was sealed; None with another secret. What was never sealed is as it is."""
        if not stored.startswith(PREFIX):
            return stored
        try:
            return self._fernet.decrypt(stored.removeprefix(PREFIX).encode()).decode()
        except InvalidToken:
            return None

    def mark(self, content: bytes) -> str:
        """By what the same content is known again, and nobody learns or guesses it: 40 hexadecimal digits."""
        return hmac.digest(self._marking, content, hashlib.sha256).hex()[:40]
