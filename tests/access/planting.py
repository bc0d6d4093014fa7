"""Secrets in every place that takes any, for the test that they never leave."""

from __future__ import annotations

from dataclasses import dataclass, field

import aiohttp
import pyotp

from tests.access.test_providers import through
from tests.flows.conftest import make_flow
from tests.support import oauth
from tests.support.http import Client, client
from tests.support.people import bearer, login, person
from tests.support.server import ADMIN_PASSWORD, Server, environment

BOUND = "bind-password-of-the-directory"
MAIL = "password-of-the-mail-server"
GIVEN = "given-to-flows-by-the-environment"
SECRET_FIELDS = [
    {"field": "code", "type": "string", "meta": {"special": ["conceal"]}},
    {"field": "pin", "type": "hash", "meta": {"special": ["hash"]}},
    {"field": "key", "type": "hash", "meta": {"special": ["hash", "conceal"]}},
    {"field": "sealed", "type": "text", "meta": {"special": ["encrypt"]}},
]
VALUES = {"pin": "pin-in-clear-2", "key": "key-in-clear-3", "sealed": "sealed-in-clear-4"}
CODE, NEXT_CODE = "code-in-clear-1", "code-in-clear-1-changed"
NEXT = {name: f"{value}-changed" for name, value in VALUES.items()}


@dataclass
class Planted:
    """Texts that nothing may show; those that are ``kept`` as they are stand in tables and log, for they are
    the users' own data, merely hidden. ``stored`` are digests: in tables and log, and nowhere else."""

    gone: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    stored: dict[str, str] = field(default_factory=dict)


async def plant(
    server: Server, api: Client, anonymous: Client, browser: aiohttp.ClientSession, given: oauth.Provider
) -> Planted:
    """Do everything in which a secret is sent or made."""
    await watched(api)
    item = await _values(api)
    found = await _person(server, api, anonymous)
    share = {"collection": "safe", "item": item, "password": "password-of-the-share-7"}
    visit = {"share": (await api.post("/shares", share)).data["id"], "password": share["password"]}
    visitor = (await anonymous.post("/shares/auth", visit)).data
    given.profile, given.refreshable = {"email": "olga@example.com"}, True
    assert await through(browser, given, "plain") == "/in"
    await api.post("/auth/login/tree", {"identifier": "ann", "password": "password-of-ann-8"})
    hook = f"/flows/trigger/{await hooked(api)}"
    sent = {"payload": {"password": "password-of-the-hook-9", "title": "x"}}
    for headers in (bearer(found["access"]), {"Cookie": f"directus_session_token={found['cookie']}"}):
        await anonymous.request("POST", hook, sent, headers=headers)
    await anonymous.request("POST", f"{hook}?access_token={found['token']}", sent)
    return Planted(
        gone={
            **found,
            **{f"{name} {value}": value for values in (VALUES, NEXT) for name, value in values.items()},
            "share": share["password"],
            "visit": visitor["refresh_token"],
            "upstream": "rt-",
            "hook": "password-of-the-hook-9",
            "ann": "password-of-ann-8",
            "first": "first-Secret1",
            "admin": ADMIN_PASSWORD,
            "secret": environment("")["SECRET"],
            "client": oauth.SECRET,
            "bind": BOUND,
            "mail": MAIL,
            "flows": GIVEN,
        },
        kept={"code": CODE, "next code": NEXT_CODE},
    )


async def _values(api: Client) -> str:
    collection = {"collection": "safe", "meta": {}, "schema": {}, "fields": SECRET_FIELDS}
    assert (await api.post("/collections", collection)).status == 200
    item = (await api.post("/items/safe", {**VALUES, "code": CODE})).data["id"]
    assert (await api.patch(f"/items/safe/{item}", {**NEXT, "code": NEXT_CODE})).status == 200
    return str(item)


async def _person(server: Server, api: Client, anonymous: Client) -> dict[str, str]:
    """Somebody who signs in in every way; what she has in hand."""
    her = await person(api)
    token, password = "static-token-of-hers-5", "password-of-hers-6"
    assert (await api.patch(f"/users/{her.id}", {"token": token, "password": password})).status == 200
    signed = (await login(anonymous, her.email, password)).data
    answer = await login(anonymous, her.email, password, mode="session")
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    async with client(server, token) as hers:
        tfa = (await hers.post("/users/me/tfa/generate", {"password": password})).data["secret"]
        body = {"secret": tfa, "otp": pyotp.TOTP(tfa).now()}
        assert (await hers.post("/users/me/tfa/enable", body)).status == 204
        assert (await hers.request("GET", f"/users/me?access_token={token}")).status == 400
    assert (await anonymous.request("GET", "/users/me", headers={"Cookie": cookie})).status == 200
    assert (await anonymous.request("GET", f"/users/me?access_token={signed['access_token']}")).status == 200
    following = (await anonymous.post("/auth/refresh", {"refresh_token": signed["refresh_token"]})).data
    return {
        "password": password,
        "token": token,
        "access": signed["access_token"],
        "refresh": signed["refresh_token"],
        "next refresh": following["refresh_token"],
        "cookie": cookie.partition("=")[2],
        "tfa": tfa,
    }


async def watched(api: Client) -> None:
    """Flows that hear of everything and say all they hear."""
    everything = ["items.create", "items.update"]
    say = {"message": "heard {{ $trigger }} and {{ $env.GIVEN }}"}
    for kind in ("filter", "action"):
        options = {
            "type": kind,
            "scope": everything,
            "collections": ["directus_users", "directus_shares", "safe"],
        }
        steps = [("again", "transform", {"json": "{{ $trigger }}"}), ("say", "log", say)]
        await make_flow(api, steps, trigger="event", options=options)


async def hooked(api: Client) -> str:
    """A flow that is called over HTTP."""
    say = {"message": "called with {{ $trigger }}"}
    return await make_flow(api, [("again", "transform", {"json": "{{ $trigger }}"}), ("say", "log", say)])
