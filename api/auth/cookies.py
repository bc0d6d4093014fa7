"""The two cookies a browser may hold: of the refresh token, and of the session."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Literal

from aiohttp import web

from domain.settings import AuthSettings


def set_cookie(
    response: web.StreamResponse, value: str, kind: Literal["refresh", "session"], settings: AuthSettings
) -> None:
    """Set a cookie; an empty value blanks it, with the lifetime it would have otherwise."""
    if kind == "session":
        name, seconds = settings.session_cookie_name, settings.session_cookie_ttl
        domain, secure = settings.session_cookie_domain, settings.session_cookie_secure
        same_site = settings.session_cookie_same_site
    else:
        name, seconds = settings.refresh_cookie_name, settings.refresh_token_ttl
        domain, secure = settings.refresh_cookie_domain, settings.refresh_cookie_secure
        same_site = settings.refresh_cookie_same_site
    response.set_cookie(
        name,
        value,
        max_age=round(seconds),
        expires=formatdate(time.time() + seconds, usegmt=True),
        path="/",
        domain=domain,
        secure=secure,
        httponly=True,
        samesite=same_site.capitalize(),
    )
