"""The second factor, `/users/me/tfa`, and where one is signed in, `/users/me/sessions`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

import pyotp
from aiohttp import web

from api.auth.credentials import origin_of
from api.auth.fields import text_of
from api.auth.login import DEFAULT, totp_fits
from api.auth.passwords import verify
from api.bodies import read_object
from api.commands import command_of
from api.keys import (
    ACCOUNT_LOOKUP,
    ATTEMPTS,
    AUTHENTICATOR,
    CONTEXT,
    REQUEST_ID,
    SEAL,
    SESSIONS,
    SETTINGS,
    WRITER,
)
from api.responses import data, no_content
from domain.access.command import Command
from domain.access.secrets import digest
from domain.errors import Forbidden, InvalidCredentials, InvalidPayload
from projections.system.accounts import Account
from projections.system.users import USERS


async def generate(request: web.Request) -> web.Response:
    """POST /users/me/tfa/generate: a secret to put into an app; nothing is stored yet."""
    account = await _me(request)
    body = await read_object(request)
    if account.provider == DEFAULT:
        password = text_of(body, "password", required=True)
        await _count(request, account)
        if not await verify(account.password, password):
            raise InvalidCredentials()
        await request.app[ATTEMPTS].forgive(account)
    _refuse_second(account)
    project = (await request.app[ACCOUNT_LOOKUP].project()).name
    secret = pyotp.random_base32()
    query = urlencode(
        {"secret": secret, "period": 30, "digits": 6, "algorithm": "SHA1", "issuer": project},
        quote_via=quote,
    )
    label = f"{quote(project, safe='')}:{quote(account.email or '', safe='@')}"
    return data({"secret": secret, "otpauth_url": f"otpauth://totp/{label}?{query}"})


async def enable(request: web.Request) -> web.Response:
    """POST /users/me/tfa/enable: keep a secret whose current one-time password is shown."""
    account = await _me(request)
    body = await read_object(request)
    secret = text_of(body, "secret", required=True)
    otp = text_of(body, "otp", required=True)
    _refuse_second(account)
    if not totp_fits(secret, otp):
        raise InvalidPayload('"otp" is invalid')
    await _store(request, account, secret, await command_of(request))
    return no_content()


async def disable(request: web.Request) -> web.Response:
    """POST /users/me/tfa/disable."""
    account = await _me(request)
    otp = text_of(await read_object(request), "otp", required=True)
    if account.tfa_secret is None:
        raise InvalidPayload(f'User "{account.id}" doesn\'t have TFA enabled')
    await _count(request, account)
    if not totp_fits(request.app[SEAL].open(account.tfa_secret), otp):
        raise InvalidPayload('"otp" is invalid')
    await request.app[ATTEMPTS].forgive(account)
    await _store(request, account, None, await command_of(request))
    return no_content()


async def disable_other(request: web.Request) -> web.Response:
    """POST /users/{key}/tfa/disable: for administrators."""
    context = request[CONTEXT]
    if context.caller.user is None:
        raise InvalidCredentials()
    account = None
    if context.rights.admin:
        try:
            account = await request.app[ACCOUNT_LOOKUP].by_id(UUID(request.match_info["key"]))
        except ValueError:
            account = None
    if account is None:
        raise Forbidden()
    await _store(request, account, None, await command_of(request))
    return no_content()


async def sessions(request: web.Request) -> web.Response:
    """GET /users/me/sessions: where the caller is signed in."""
    account = await _me(request)
    current = request[CONTEXT].session
    own = digest(current) if current else None
    found = await request.app[SESSIONS].listed(account.id)
    return data(
        [
            {
                "id": entry.id,
                "ip": entry.ip,
                "user_agent": entry.user_agent,
                "origin": entry.origin,
                "expires": _moment(entry.expires),
                "current": entry.token == own,
            }
            for entry in found
        ]
    )


async def revoke_session(request: web.Request) -> web.Response:
    """DELETE /users/me/sessions and /users/me/sessions/{session}: sign out elsewhere."""
    account = await _me(request)
    wanted = request.match_info.get("session")
    ended = await request.app[SESSIONS].revoke(account.id, wanted, request[CONTEXT].session)
    if wanted is not None and not ended:
        raise Forbidden()
    request.app[AUTHENTICATOR].forget()
    return no_content()


async def revoke_sessions_of(request: web.Request) -> web.Response:
    """DELETE /users/{key}/sessions: sign a user out everywhere; for administrators."""
    context = request[CONTEXT]
    if not context.rights.admin:
        raise Forbidden()
    try:
        user = UUID(request.match_info["key"])
    except ValueError:
        raise Forbidden() from None
    await request.app[SESSIONS].revoke(user, None, context.session)
    request.app[AUTHENTICATOR].forget()
    return no_content()


def routes() -> list[web.RouteDef]:
    """These have to come before the routes of `/users` with keys."""
    return [
        web.post("/users/me/tfa/generate", generate),
        web.post("/users/me/tfa/enable", enable),
        web.post("/users/me/tfa/disable", disable),
        web.post("/users/{key:[^/]+}/tfa/disable", disable_other),
        web.get("/users/me/sessions", sessions),
        web.delete("/users/me/sessions", revoke_session),
        web.delete("/users/me/sessions/{session}", revoke_session),
        web.delete("/users/{key:[^/]+}/sessions", revoke_sessions_of),
    ]


async def _me(request: web.Request) -> Account:
    user = request[CONTEXT].caller.user
    account = await request.app[ACCOUNT_LOOKUP].by_id(user) if user is not None else None
    if account is None:
        raise InvalidCredentials()
    return account


def _refuse_second(account: Account) -> None:
    if account.tfa_secret is not None:
        raise InvalidPayload("TFA Secret is already set for this user")


async def _count(request: web.Request, account: Account) -> None:
    origin = origin_of(request, request.app[SETTINGS].auth)
    await request.app[ATTEMPTS].on_user(account, origin, UUID(request[REQUEST_ID]))


async def _store(request: web.Request, account: Account, secret: str | None, command: Command) -> None:
    payload: dict[str, Any] = {"tfa_secret": secret}
    try:
        found = await request.app[WRITER].update(
            command.trusting(), request[CONTEXT].model, USERS, [str(account.id)], payload
        )
    finally:
        request.app[AUTHENTICATOR].rights.settle()
    if not found:
        raise Forbidden()


def _moment(value: Any) -> str:
    text: str = value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return text
