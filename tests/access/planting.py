"""Secrets in every place that takes any, for the test that they never leave."""

from __future__ import annotations

from dataclasses import dataclass, field

import aiohttp

from tests.access.listening import HOOK, Outside, hooked_up, listening
from tests.flows.conftest import make_flow
from tests.support import oauth
from tests.support.http import Client, client
from tests.support.oauth import through
from tests.support.people import bearer, login, one_time, person
from tests.support.server import ADMIN_PASSWORD, Server, environment
from tests.support.smtp import Mailbox

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
AI, ONCE = "key-of-ai-12", "password-sent-once-13"
LONG = "a-secret-that-is-too-long-" * 12
CODE, NEXT_CODE = "code-in-clear-1", "code-in-clear-1-changed"
NEXT = {name: f"{value}-changed" for name, value in VALUES.items()}


@dataclass
class Planted:
    """Texts that nothing may show; those that are ``kept`` as they are stand in tables and log, for they are
    the users' own data, merely hidden. ``stored`` are digests: in tables and log, and nowhere else."""

    gone: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    stored: dict[str, str] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    """What was answered to payloads that were refused."""


async def plant(
    server: Server,
    api: Client,
    anonymous: Client,
    browser: aiohttp.ClientSession,
    given: oauth.Provider,
    outside: Outside,
    mail: Mailbox,
) -> Planted:
    """Do everything in which a secret is sent or made, while others listen."""
    collection = {"collection": "safe", "meta": {"versioning": True}, "schema": {}, "fields": SECRET_FIELDS}
    assert (await api.post("/collections", collection)).status == 200
    await watched(api)
    await hooked_up(api, outside.url)
    async with listening(server, outside):
        planted = await _planted(server, api, anonymous, browser, given, mail)
        await outside.until_quiet()
    return planted


async def _planted(
    server: Server,
    api: Client,
    anonymous: Client,
    browser: aiohttp.ClientSession,
    given: oauth.Provider,
    mail: Mailbox,
) -> Planted:
    item = await _values(api)
    found = await _person(server, api, anonymous, mail)
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
            "webhook": HOOK,
            "ai": AI,
            "once": ONCE,
            "long": LONG,
            **await _addresses(api),
        },
        kept={"code": CODE, "next code": NEXT_CODE},
        refusals=await _refused(server, api, item),
    )


async def _values(api: Client) -> str:
    item = (await api.post("/items/safe", {**VALUES, "code": CODE})).data["id"]
    assert (await api.patch(f"/items/safe/{item}", {**NEXT, "code": NEXT_CODE})).status == 200
    assert (await api.patch("/settings", {"ai_openai_api_key": AI})).status == 200
    sent = {"email": "once@example.com", "password": ONCE, "token": f"{ONCE}-token"}
    for _ in range(2):
        headers = {"Idempotency-Key": "the same"}
        assert (await api.request("POST", "/users", sent, headers=headers)).status == 200
    return str(item)


def _path(url: str) -> str:
    return "/" + url.partition("://")[2].partition("/")[2]


async def _addresses(api: Client) -> dict[str, str]:
    """Addresses that let whoever has them put and take files."""
    offer = {"filename_download": "a.txt", "type": "text/plain"}
    put = (await api.post("/files/presigned", offer)).data
    assert (await api.request("PUT", _path(put["url"]), content=b"text")).status == 200
    record = (await api.post("/files/presigned/complete", {"token": put["token"]})).data
    got = (await api.post(f"/files/{record['id']}/presigned", {})).data["url"]
    assert (await api.request("GET", _path(got))).status == 200
    return {
        "address to put": put["url"].rpartition("/")[2],
        "address to get": got.rpartition("/")[2],
        "completion": put["token"],
    }


async def _refused(server: Server, api: Client, item: str) -> dict[str, str]:
    """Secrets in payloads that are not taken; the answers."""
    version = (await api.post("/versions", {"key": "v", "collection": "safe", "item": item})).data["id"]
    graphql = "mutation ($data: create_safe_input!) { create_safe_item(data: $data) { id } }"
    form = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.json"\r\n'
        b'Content-Type: application/json\r\n\r\n[{"code": "' + LONG.encode() + b'"}]\r\n--x--\r\n'
    )
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    answers = {
        "too long": await api.post("/items/safe", {"code": LONG}),
        "too long changed": await api.patch(f"/items/safe/{item}", {"code": LONG}),
        "not by GraphQL": await api.post(
            "/graphql", {"query": graphql, "variables": {"data": {"code": LONG}}}
        ),
        "not imported": await api.request("POST", "/utils/import/safe", content=form, headers=multipart),
        "no version": await api.post(f"/versions/{version}/save", {"pin": LONG, "code": LONG}),
        "no user": await api.post("/users", {"email": "no address", "password": LONG, "tfa_secret": LONG}),
        "no webhook": await api.post("/webhooks", {"secret": LONG}),
    }
    taken = {name: answer.body for name, answer in answers.items() if "errors" not in answer.body}
    assert not taken, taken
    return {name: str(answer.body) for name, answer in answers.items()}


async def _person(server: Server, api: Client, anonymous: Client, mail: Mailbox) -> dict[str, str]:
    """Somebody who signs in in every way; what she has in hand."""
    her = await person(api)
    token, password = "static-token-of-hers-5", "password-of-hers-6"
    assert (await api.patch(f"/users/{her.id}", {"token": token, "password": password})).status == 200
    signed = (await login(anonymous, her.email, password)).data
    answer = await login(anonymous, her.email, password, mode="session")
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    async with client(server, token) as hers:
        tfa = (await hers.post("/users/me/tfa/generate", {"password": password})).data["secret"]
        body = {"secret": tfa, "otp": await one_time(tfa)}
        assert (await hers.post("/users/me/tfa/enable", body)).status == 204
        assert (await hers.request("GET", f"/users/me?access_token={token}")).status == 400
    assert (await anonymous.request("GET", "/users/me", headers={"Cookie": cookie})).status == 200
    assert (await anonymous.request("GET", f"/users/me?access_token={signed['access_token']}")).status == 200
    assert (await anonymous.post("/auth/password/request", {"email": her.email})).status == 204
    following = (await anonymous.post("/auth/refresh", {"refresh_token": signed["refresh_token"]})).data
    return {
        "password": password,
        "token": token,
        "access": signed["access_token"],
        "refresh": signed["refresh_token"],
        "next refresh": following["refresh_token"],
        "cookie": cookie.partition("=")[2],
        "tfa": tfa,
        "reset": await mail.token(her.email),
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
