"""What counts as an e-mail address."""

from __future__ import annotations

import re

_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
MAXIMUM_LENGTH = 254


def is_email(text: str) -> bool:
    """Whether a text has the form of an address with a domain that can exist on the internet."""
    if len(text) > MAXIMUM_LENGTH or ".." in text or not _EMAIL.fullmatch(text):
        return False
    local = text.partition("@")[0]
    return len(local) <= 64 and not local.startswith(".") and not local.endswith(".")
