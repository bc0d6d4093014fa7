"""What may be written into a webhook."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from domain.errors import InvalidPayload
from domain.webhooks.signing import key_of

ACTIONS: Final = ("create", "update", "delete")
LONGEST_SECRET: Final = 100
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
# Ours, or those of the connection.
_TAKEN: Final = frozenset(
    {
        "connection", "content-length", "host", "transfer-encoding", "webhook-id", "webhook-signature",
        "webhook-timestamp",
    }
)  # fmt: skip


def check(payload: Mapping[str, Any]) -> None:
    """Refuse what could never be delivered.

    Raises:
        InvalidPayload: naming the field.
    """
    for name, (fits, what) in _RULES.items():
        if name in payload and not fits(payload[name]):
            raise InvalidPayload(f'"{name}" must be {what}')


def _is_url(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_method(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 10 and _TOKEN.fullmatch(value) is not None


def _are_actions(value: Any) -> bool:
    return _are_names(value) and all(entry in ACTIONS for entry in _listed(value))


def _are_names(value: Any) -> bool:
    listed = _listed(value)
    return bool(listed) and all(isinstance(entry, str) and entry for entry in listed)


def _listed(value: Any) -> list[Any]:
    return value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []


def _are_headers(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(_is_header(entry) for entry in value))


def _is_header(entry: Any) -> bool:
    if not isinstance(entry, Mapping):
        return False
    name, value = entry.get("header"), entry.get("value")
    return (
        isinstance(name, str)
        and isinstance(value, str)
        and _TOKEN.fullmatch(name) is not None
        and _VALUE.fullmatch(value) is not None
        and name.lower() not in _TAKEN
    )


def _is_secret(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, str) or len(value) > LONGEST_SECRET:
        return False
    try:
        return bool(key_of(value))
    except ValueError:
        return False


def _is_filter(value: Any) -> bool:
    return value is None or isinstance(value, Mapping)


_RULES: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "url": (_is_url, "an address that begins with http:// or https://"),
    "method": (_is_method, "a method of HTTP"),
    "actions": (_are_actions, "a list of create, update and delete"),
    "collections": (_are_names, "a list of collections"),
    "headers": (_are_headers, "a list of {header, value} that HTTP allows and Acta does not set itself"),
    "secret": (_is_secret, f"base64, with or without whsec_, of at most {LONGEST_SECRET} characters"),
    "filter": (_is_filter, "a filter rule"),
}
