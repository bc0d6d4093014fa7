"""Attacks on tokens, sessions, cookies and passwords."""

import asyncio
import base64
import json
import statistics
import time
from collections import defaultdict
from typing import Any

import aiohttp
import jwt
import pytest

from tests.support.http import Answer, Client, client
from tests.support.people import PASSWORD, bearer, end_grace, login, person
from tests.support.server import ADMIN_TOKEN, Server, environment

SECRET = environment("")["SECRET"]
EVIL = "https://evil.example"


def unsigned(claims: dict[str, Any], algorithm: str, signature: str = "") -> str:
    """A token that names an algorithm and isn't signed by it."""
    parts = ({"alg": algorithm, "typ": "JWT"}, claims)
    return ".".join(
        [
            *(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts),
            signature,
        ]
    )


def cookie_of(answer: Answer) -> str:
    return answer.headers["Set-Cookie"].partition(";")[0]


async def status(anonymous: Client, token: str) -> int:
    return (await anonymous.request("GET", "/users/me", headers=bearer(token))).status


async def test_tokens_that_name_their_own_algorithm(anonymous: Client, api: Client) -> None:
    admin = (await api.get("/users/me", fields="id,role")).data
    claims = {
        **admin,
        "app_access": True,
        "admin_access": True,
        "iss": "directus",
        "exp": time.time() + 60,
    }
    for algorithm in ("none", "None", "NONE", "RS256", "ES256", "HS1", ""):
        for signature in ("", base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("=")):
            assert await status(anonymous, unsigned(claims, algorithm, signature)) == 403, algorithm
    good = jwt.encode(claims, SECRET, algorithm="HS256")
    assert await status(anonymous, good) == 200
    head, body, signature = good.split(".")
    assert await status(anonymous, f"{head}.{body}.{signature[:-4]}AAAA") == 403
    assert await status(anonymous, f"{unsigned(claims, 'none')}{signature}") == 403
    assert await status(anonymous, jwt.encode(claims, "a" * 32, algorithm="HS256")) == 403


async def test_an_access_token_ends_with_its_login(api: Client, anonymous: Client) -> None:
    her = await person(api)
    for ending in ("logout", "password", "status", "refreshed"):
        tokens = (await login(anonymous, her.email)).data
        access, refresh = tokens["access_token"], tokens["refresh_token"]
        assert await status(anonymous, access) == 200
        if ending == "refreshed":
            following = (await anonymous.post("/auth/refresh", {"refresh_token": refresh})).data
            assert await status(anonymous, access) == 200
            refresh = following["refresh_token"]
        if ending in ("logout", "refreshed"):
            assert (await anonymous.post("/auth/logout", {"refresh_token": refresh})).status == 204
        elif ending == "password":
            assert (await api.patch(f"/users/{her.id}", {"password": PASSWORD})).status == 200
        else:
            await api.patch(f"/users/{her.id}", {"status": "suspended"})
        assert await status(anonymous, access) == 401, ending
        replayed = await anonymous.post("/auth/refresh", {"refresh_token": refresh})
        assert replayed.status == 401
        await api.patch(f"/users/{her.id}", {"status": "active"})
    tokens = (await login(anonymous, her.email)).data
    assert (await api.delete(f"/users/{her.id}")).status == 204
    assert await status(anonymous, tokens["access_token"]) == 401


async def test_a_session_cookie_is_dead_after_logout(api: Client, anonymous: Client) -> None:
    her = await person(api)
    cookie = {"Cookie": cookie_of(await login(anonymous, her.email, mode="session"))}
    assert (await anonymous.request("GET", "/users/me", headers=cookie)).status == 200
    assert (
        await anonymous.request("POST", "/auth/logout", {"mode": "session"}, headers=cookie)
    ).status == 204
    for path in ("/users/me", "/server/info"):
        assert (await anonymous.request("GET", path, headers=cookie)).status == 401


async def test_a_stolen_refresh_token_costs_the_thief_his_session(
    api: Client, anonymous: Client, served_url: str
) -> None:
    her = await person(api)
    first = (await login(anonymous, her.email)).data["refresh_token"]
    others = (await login(anonymous, her.email)).data["refresh_token"]
    second = (await anonymous.post("/auth/refresh", {"refresh_token": first})).data["refresh_token"]
    third = (await anonymous.post("/auth/refresh", {"refresh_token": second})).data
    end_grace(served_url)
    # The grace period is over: whoever sends it now is not who got the successor.
    assert (await anonymous.post("/auth/refresh", {"refresh_token": first})).status == 401
    answer = await anonymous.post("/auth/refresh", {"refresh_token": third["refresh_token"]})
    assert (answer.status, answer.error["code"]) == (401, "INVALID_CREDENTIALS")
    # Believed for five seconds at most.
    async with asyncio.timeout(30):
        while await status(anonymous, third["access_token"]) != 401:
            await asyncio.sleep(0.25)
    assert (await anonymous.post("/auth/refresh", {"refresh_token": others})).status == 200


async def test_a_lost_role_is_lost_at_once(api: Client, anonymous: Client) -> None:
    her = await person(api, admin_access=True)
    access = (await login(anonymous, her.email)).data["access_token"]
    assert (await anonymous.request("GET", "/policies", headers=bearer(access))).status == 200
    await api.patch(f"/users/{her.id}", {"role": None})
    assert (await anonymous.request("GET", "/policies", headers=bearer(access))).status == 403


async def test_changes_that_another_site_makes_a_browser_send(
    api: Client, anonymous: Client, server: Server
) -> None:
    her = await person(api)
    session = cookie_of(await login(anonymous, her.email, mode="session"))
    refresh = cookie_of(await login(anonymous, her.email, mode="cookie"))

    async def change(**headers: str) -> int:
        sent = {"Cookie": session, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return (await anonymous.request("PATCH", "/users/me", {"first_name": "x"}, headers=sent)).status

    assert await change(Origin=EVIL) == 403
    assert await change(Origin="null") == 403
    assert await change(Origin=server.url, Sec_Fetch_Site="cross-site") == 403
    assert await change(Origin=f"{server.url}.evil.example") == 403
    assert await change(Sec_Fetch_Site="cross-site") == 403
    assert await change(Origin=server.url) == 200
    assert await change(Origin=EVIL, Sec_Fetch_Site="same-origin") == 200
    assert await change() == 200
    for path in ("/auth/refresh", "/auth/logout"):
        body = {"mode": "cookie"}
        sent = {"Cookie": refresh, "Origin": EVIL}
        assert (await anonymous.request("POST", path, body, headers=sent)).status == 403
    # A token that a page knows itself may come from any page.
    sent = {"Origin": EVIL, **bearer(her.token)}
    assert (await anonymous.request("PATCH", "/users/me", {"first_name": "y"}, headers=sent)).status == 200
    # A form can't send JSON without asking first.
    form = {"Cookie": session, "Content-Type": "text/plain"}
    answer = await anonymous.request("POST", "/users", content=b'{"email":"f@example.com"}', headers=form)
    assert answer.status in (400, 403)


async def test_users_are_not_told_apart(api: Client, anonymous: Client) -> None:
    her = await person(api)
    suspended, other = await person(api), await person(api)
    await api.patch(f"/users/{suspended.id}", {"status": "suspended"})
    await api.patch(f"/users/{other.id}", {"password": None})
    cases = {
        her.email: "wrong",
        suspended.email: PASSWORD,
        other.email: PASSWORD,
        "nobody@example.com": "wrong",
    }
    answers, spent = set(), defaultdict[str, list[float]](list)
    # In turns: whatever else the machine does meanwhile slows all of them.
    for _ in range(7):
        for email, password in cases.items():
            began = time.perf_counter()
            answer = await login(anonymous, email, password)
            spent[email].append(time.perf_counter() - began)
            answers.add((answer.status, json.dumps(answer.body)))
    times = {email: statistics.median(each) for email, each in spent.items()}
    assert len(answers) == 1
    # The stall of this server is below what a hash costs: it is the work that takes as long for nobody.
    assert max(times.values()) < 4 * min(times.values()), spent


async def test_shares_are_not_guessed_nor_used_too_often(api: Client, anonymous: Client) -> None:
    await api.patch("/collections/notes", {"meta": {}})
    share = {"collection": "notes", "item": "1", "password": "open sesame", "max_uses": 2}
    key = (await api.post("/shares", share)).data["id"]
    right = {"share": key, "password": "open sesame"}
    answers = await asyncio.gather(*(anonymous.post("/shares/auth", right) for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [200, 200, 401, 401, 401, 401]
    assert (await api.get(f"/shares/{key}", fields="times_used")).data == {"times_used": 2}
    await api.patch(f"/shares/{key}", {"max_uses": None})
    assert (await anonymous.post("/shares/auth", right)).status == 200
    for body in ({"share": key}, {"share": key, "password": None}, {"share": "x", "password": "y"}):
        assert (await anonymous.post("/shares/auth", body)).status == 401, body
    assert (await anonymous.post("/shares/auth", {**right, "password": 1})).status == 400
    for _ in range(26):
        assert (await anonymous.post("/shares/auth", {**right, "password": "guess"})).status == 401
    assert (await anonymous.post("/shares/auth", right)).status == 401


async def test_a_share_reads_its_item_and_nothing_else(
    server: Server, api: Client, anonymous: Client
) -> None:
    read = {"collection": "notes", "action": "read", "fields": ["id", "title"]}
    may: list[dict[str, Any]] = [
        {**read, "fields": ["*"]},
        {**read, "action": "share", "permissions": {"id": {"_eq": 1}}},
        {"collection": "directus_shares", "action": "create", "fields": ["*"]},
        {"collection": "directus_shares", "action": "update", "fields": ["*"]},
    ]
    author, guest = await person(api, *may), await person(api, read)
    await api.patch("/collections/notes", {"meta": {}})
    async with client(server, author.token) as his:
        share = {"collection": "notes", "item": "1", "role": guest.role}
        made = await his.post("/shares", share)
        assert made.status == 200
        assert (await his.post("/shares", {**share, "item": "2"})).status == 403
        assert (await his.post("/shares", {**share, "item": "99"})).status == 403
        path, chief = f"/shares/{made.data['id']}", (await api.get("/users/me", fields="id,role")).data
        for change in ({"item": "2"}, {"user_created": chief["id"]}):
            assert (await his.patch(path, change)).status == 403, change
        assert (await his.patch(path, {"role": guest.role, "password": "**********"})).status == 200
        its = (await api.post("/shares", share)).data["id"]
        assert (await his.patch(f"/shares/{its}", {"role": chief["role"]})).status == 403
    tokens = (await anonymous.post("/shares/auth", {"share": made.data["id"]})).data
    async with client(server, tokens["access_token"]) as visitor:
        assert (await visitor.get("/items/notes")).data == [{"id": 1, "title": "first"}]
        assert (await visitor.get("/items/notes", fields="secret")).status == 403
        mine = (await visitor.get("/permissions/me")).data
        assert mine["notes"]["read"] == {"access": "partial", "fields": ["id", "title"]}
        assert (await visitor.get("/items/notes/2")).status == 403
        assert (await visitor.get("/users")).status == 403
        assert (await visitor.patch("/items/notes/1", {"title": "x"})).status == 403
        for path in ("/users/me/sessions", "/users/me/tfa/generate"):
            assert (await visitor.request("GET" if "sess" in path else "POST", path)).status == 401
    refreshed = await anonymous.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    assert refreshed.status == 200
    logout = {"refresh_token": refreshed.data["refresh_token"]}
    assert (await anonymous.post("/auth/logout", logout)).status == 204
    assert (await anonymous.post("/auth/refresh", logout)).status == 401
    # Who may do nothing any more has shared nothing any more.
    tokens = (await anonymous.post("/shares/auth", {"share": made.data["id"]})).data
    await api.patch(f"/users/{author.id}", {"status": "suspended"})
    async with client(server, tokens["access_token"]) as visitor:
        assert (await visitor.get("/items/notes")).status == 403
    assert (await api.delete(f"/shares/{made.data['id']}")).status == 204
    assert await status(anonymous, tokens["access_token"]) == 403


@pytest.mark.parametrize("path", ["/auth/login", "/auth/refresh", "/auth/logout", "/auth/password/request",
                                  "/auth/password/reset", "/users/invite", "/users/invite/accept",
                                  "/users/register", "/users/me/tfa/enable", "/users/me/tfa/disable",
                                  "/shares/auth", "/shares/invite"])  # fmt: skip
async def test_nonsense_is_refused(server: Server, path: str) -> None:
    names = (
        "email",
        "password",
        "otp",
        "token",
        "refresh_token",
        "mode",
        "role",
        "secret",
        "share",
        "emails",
    )
    async with client(server, ADMIN_TOKEN) as api, aiohttp.ClientSession() as session:
        for value in (None, 1, [], {}, True, "", "\U0001f600" * 300, {"a": 1}, ["x"], [None]):
            answer = await api.post(path, dict.fromkeys(names, value))
            assert 400 <= answer.status < 500 or answer.status == 204, (value, answer.body)
        for raw in (b"[]", b"{", b'"x"', b"\xff", b'{"email": "\\u0000@example.com", "password": "\\u0000"}'):
            headers = {"Content-Type": "application/json"}
            async with session.post(server.url + path, data=raw, headers=headers) as response:
                assert 400 <= response.status < 500, raw


async def test_concealed_values_give_no_order_and_no_groups(api: Client) -> None:
    masked = {"special": ["conceal"]}
    fields = [
        {"field": "born", "type": "date", "meta": masked},
        {"field": "data", "type": "json", "meta": {"special": ["cast-json", "conceal"]}},
        {"field": "pay", "type": "integer", "meta": masked},
    ]
    made = await api.post("/collections", {"collection": "hidden", "schema": {}, "fields": fields})
    assert made.status == 200, made.body
    for path, query in (
        ("/users", {"sort": "token"}),
        ("/users", {"sort": "-role.users.password"}),
        ("/users", {"groupBy[]": "tfa_secret", "aggregate[count]": "*"}),
        ("/users", {"aggregate[min]": "token"}),
        ("/items/hidden", {"aggregate[sum]": "pay"}),
        ("/items/hidden", {"sort": "year(born)"}),
        ("/items/hidden", {"filter": '{"year(born)": {"_gt": 1990}}'}),
        ("/items/hidden", {"fields": "json(data, a)"}),
        ("/items/hidden", {"groupBy[]": "year(born)"}),
    ):
        answer = await api.get(path, **query)
        assert (answer.status, answer.error["code"]) == (400, "INVALID_QUERY"), (query, answer.body)
        assert "concealed" in answer.error["reason"], (query, answer.body)
    assert (await api.delete("/collections/hidden")).status == 204
