"""Addresses that links lead to: our own, or such as the settings allow."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from domain.settings import Settings


def own_url(settings: Settings, path: str) -> str:
    """An address of this server."""
    return settings.server.public_url.rstrip("/") + path


def with_query(url: str, **values: str) -> str:
    """The address with more parameters in its query."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True)]
    return urlunsplit(parts._replace(query=urlencode([*query, *values.items()])))


def is_listed(url: str, listed: Iterable[str]) -> bool:
    """Whether a list has an address, exactly or apart from what follows its path."""
    return any(url == entry or _place(url) == _place(entry) is not None for entry in listed)


def is_web(url: str) -> bool:
    """Whether a text is an absolute address of the web."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _place(url: str) -> tuple[str, str, str] | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    # A browser reads a backslash as a slash; an address with user name looks like another one.
    if not parts.netloc or "@" in parts.netloc or "\\" in url:
        return None
    return parts.scheme.lower(), parts.netloc.lower(), parts.path or "/"
