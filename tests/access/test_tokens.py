"""Tokens that are none, or of another kind: no request fails by them, and none gets anywhere."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest

from tests.access.test_attacks import status
from tests.support.http import Client
from tests.support.people import PASSWORD, bearer, login, person
from tests.support.server import environment
from tests.support.smtp import Mailbox

SECRET = environment("")["SECRET"]


def part(text: str | bytes | dict[str, Any]) -> str:
    raw = text if isinstance(text, bytes) else (text if isinstance(text, str) else json.dumps(text)).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


OURS = part({"iss": "directus"})


@pytest.mark.parametrize(
    "token",
    [
        ".".join(("a", part("[" * 5000), "c")),
        ".".join(
            (part({"alg": "HS256"}), part('{"iss": "directus", "a": ' + "[" * 2500 + "]" * 2500 + "}"), "c")
        ),
        ".".join((part("[" * 5000), OURS, "c")),
        ".".join((part("[]"), OURS, "c")),
        ".".join((part("1"), OURS, "c")),
        ".".join((part({"alg": ["HS256"]}), OURS, "c")),
        ".".join((part({"alg": {}}), OURS, "c")),
        ".".join((part({"alg": "HS256", "kid": 1}), OURS, "c")),
        ".".join((part({"alg": "HS256", "b64": False, "crit": ["b64"]}), OURS, "c")),
        ".".join((part({"alg": "HS256"}), part(b"\xff\xfe"), "c")),
        ".".join((part({"alg": "HS256"}), part("1" * 5000), "c")),
        "..",
        "\U0001f600",
    ],
    ids=lambda token: token[:24],
)
async def test_what_is_no_token(anonymous: Client, token: str) -> None:
    for path in ("/users/me", "/server/info", "/auth/refresh"):
        answer = await anonymous.request("GET", path, query={"access_token": token})
        assert answer.status in (401, 403), answer.body
    answer = await anonymous.post("/auth/refresh", {"refresh_token": token})
    assert answer.status == 401
    for path in ("/auth/password/reset", "/users/invite/accept"):
        assert (await anonymous.post(path, {"token": token, "password": PASSWORD})).status in (401, 403)


async def test_tokens_that_say_more_than_they_should(api: Client, anonymous: Client) -> None:
    me = (await api.get("/users/me", fields="id,role")).data
    claims = {**me, "app_access": True, "admin_access": True, "iss": "directus"}
    lasting = {**claims, "exp": time.time() + 60}
    assert await status(anonymous, jwt.encode(lasting, SECRET)) == 200
    # Without an end it would be good for ever.
    assert await status(anonymous, jwt.encode(claims, SECRET)) == 403
    for header in (
        {"kid": "../../../../dev/null"},
        {"jwk": {"kty": "oct", "k": part("mine")}},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/keys"},
    ):
        assert await status(anonymous, jwt.encode(lasting, "m" * 32, headers=header)) == 403, header
        assert await status(anonymous, jwt.encode(lasting, "\0" * 32, headers=header)) == 403, header
    her = await person(api)
    tokens = (await login(anonymous, her.email)).data
    hers = jwt.decode(tokens["access_token"], SECRET, algorithms=["HS256"], issuer="directus")
    # Rights in a token are hearsay, and what isn't signed by us nobody has said.
    for change in ({"admin_access": True, "role": me["role"]}, {"id": me["id"]}):
        head, _, signature = tokens["access_token"].split(".")
        forged = ".".join((head, part({**hers, **change}), signature))
        assert await status(anonymous, forged) == 403, change
    powerful = jwt.encode({**hers, "admin_access": True, "role": me["role"]}, SECRET)
    assert (await anonymous.request("GET", "/policies", headers=bearer(powerful))).status == 403


async def test_a_token_of_one_kind_is_none_of_another(api: Client, anonymous: Client, mail: Mailbox) -> None:
    her = await person(api)
    tokens = (await login(anonymous, her.email)).data
    assert (await anonymous.post("/auth/password/request", {"email": her.email})).status == 204
    invited = {"email": "invited@example.com", "role": her.role}
    assert (await api.post("/users/invite", invited)).status == 204
    reset, invitation = await mail.token(her.email), await mail.token("invited@example.com")
    offer = (await api.post("/files/presigned", {"filename_download": "a.txt", "type": "text/plain"})).data
    address, completion = offer["url"].rpartition("/")[2], offer["token"]
    access, refresh = tokens["access_token"], tokens["refresh_token"]
    others = {"refresh": refresh, "reset": reset, "invitation": invitation, "address": address}
    for name, token in {**others, "completion": completion}.items():
        assert await status(anonymous, token) in (401, 403), name
    for name, token in {"access": access, "reset": reset, "static": her.token, "address": address}.items():
        body = {"refresh_token": token}
        assert (await anonymous.post("/auth/refresh", body)).status == 401, name
    for name, token in {"access": access, "invitation": invitation, "refresh": refresh}.items():
        body = {"token": token, "password": "taken-over-1"}
        assert (await anonymous.post("/auth/password/reset", body)).status in (401, 403), name
    for name, token in {"access": access, "reset": reset}.items():
        body = {"token": token, "password": "taken-over-1"}
        assert (await anonymous.post("/users/invite/accept", body)).status in (401, 403), name
        verified = await anonymous.request("GET", "/users/register/verify-email", query={"token": token})
        assert verified.status in (400, 401, 403), name
    for name, token in {"access": access, "reset": reset, "completion": completion}.items():
        assert (await anonymous.request("GET", f"/files/presigned/{token}")).status in (401, 403), name
        assert (await anonymous.request("PUT", f"/files/presigned/{token}", content=b"x")).status in (
            401,
            403,
        )
    # A link that sets a password works once, and not after another one was set.
    body = {"token": reset, "password": "second-Secret2"}
    assert (await anonymous.post("/auth/password/reset", body)).status == 204
    assert (await anonymous.post("/auth/password/reset", body)).status == 403
    assert await status(anonymous, access) == 401


async def test_what_a_browser_says_of_itself_may_be_long(anonymous: Client, api: Client) -> None:
    her = await person(api)
    credentials = {"email": her.email, "password": PASSWORD}
    headers = {"Origin": f"https://{'a' * 3000}.example", "User-Agent": "u" * 5000}
    for mode in ("json", "session"):
        body = {**credentials, "mode": mode}
        signed = await anonymous.request("POST", "/auth/login", body, headers=headers)
        assert signed.status == 200, signed.body
    body = {"refresh_token": (await login(anonymous, her.email)).data["refresh_token"]}
    assert (await anonymous.request("POST", "/auth/refresh", body, headers=headers)).status == 200
