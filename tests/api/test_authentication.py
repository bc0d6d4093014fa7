"""Tokens, sessions, and what ends them."""

import asyncio
import time
from typing import Any

import jwt
import pytest

from tests.support.http import Answer, Client, client
from tests.support.server import ADMIN_TOKEN, Server

SECRET = "a secret of the tests, thirty-two bytes at least"
PASSWORD = "first-Secret1"


async def login(anonymous: Client, email: str, password: str = PASSWORD, **more: Any) -> Answer:
    return await anonymous.post("/auth/login", {"email": email, "password": password, **more})


@pytest.fixture
async def user(api: Client) -> dict[str, Any]:
    """A user who may read and change himself."""
    number = time.monotonic_ns()
    policy = {"name": "p", "app_access": True}
    rights = {"collection": "directus_users", "action": "update", "fields": ["password", "first_name"]}
    made = await api.post(
        "/policies", {**policy, "permissions": {"create": [rights], "update": [], "delete": []}}
    )
    role = await api.post("/roles", {"name": "r", "policies": [{"policy": made.data["id"]}]})
    answer = await api.post(
        "/users",
        {
            "email": f"u{number}@example.com",
            "password": PASSWORD,
            "role": role.data["id"],
            "token": f"t{number}",
        },
    )
    return {**answer.data, "plain_token": f"t{number}"}


def with_token(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_where_a_token_may_stand(server: Server, anonymous: Client) -> None:
    path = "/users/me?fields=email"
    for spelling in (f"Bearer {ADMIN_TOKEN}", f"bearer {ADMIN_TOKEN}"):
        assert (await anonymous.request("GET", path, headers={"Authorization": spelling})).status == 200
    assert (await anonymous.request("GET", f"{path}&access_token={ADMIN_TOKEN}")).status == 200
    cookie = {"Cookie": f"directus_session_token={ADMIN_TOKEN}"}
    assert (await anonymous.request("GET", path, headers=cookie)).status == 200
    for ignored in (ADMIN_TOKEN, f"Bearer  {ADMIN_TOKEN}", f"Basic {ADMIN_TOKEN}", "Bearer"):
        answer = await anonymous.request("GET", path, headers={"Authorization": ignored})
        assert (answer.status, answer.error["code"]) == (401, "INVALID_CREDENTIALS")
    both = await anonymous.request("GET", f"{path}&access_token=x", headers=with_token(ADMIN_TOKEN))
    assert (both.status, both.error["code"]) == (400, "INVALID_PAYLOAD")


async def test_a_bad_token_fails_before_the_route_is_looked_at(anonymous: Client) -> None:
    for path in ("/nowhere", "/auth/login", "/utils/random/string"):
        assert (await anonymous.request("GET", path, headers=with_token("nobodys"))).status == 401
    assert (await anonymous.request("GET", "/server/ping", headers=with_token("nobodys"))).status == 200


async def test_a_useless_session_cookie_is_blanked(anonymous: Client) -> None:
    cookie = {"Cookie": "directus_session_token=nobodys"}
    answer = await anonymous.request("GET", "/users/me", headers=cookie)
    assert answer.status == 401
    assert 'directus_session_token=""' in answer.headers["Set-Cookie"]


def forged(claims: dict[str, Any], key: str = SECRET, algorithm: str = "HS256") -> str:
    base = {
        "role": None,
        "app_access": True,
        "admin_access": True,
        "iss": "directus",
        "exp": time.time() + 60,
    }
    return jwt.encode({**base, **claims}, key, algorithm=algorithm)


async def test_tokens_that_nobody_issued(anonymous: Client, user: dict[str, Any]) -> None:
    me = {"id": user["id"]}
    other_key = "another secret of the tests, thirty-two bytes"
    for token, status, code in (
        (forged(me, key=other_key), 403, "INVALID_TOKEN"),
        (forged(me, key="", algorithm="none"), 403, "INVALID_TOKEN"),
        (forged({**me, "exp": time.time() - 60}), 401, "TOKEN_EXPIRED"),
        (forged({**me, "iss": "somebody"}), 401, "INVALID_CREDENTIALS"),
        (forged({**me, "session": "x" * 64}), 401, "INVALID_CREDENTIALS"),
        (jwt.encode({**me, "iss": "directus", "exp": time.time() + 60}, SECRET), 403, "INVALID_TOKEN"),
        (forged({"id": "no uuid"}), 403, "INVALID_TOKEN"),
    ):
        answer = await anonymous.request("GET", "/users/me", headers=with_token(token))
        assert (answer.status, answer.error["code"]) == (status, code)


async def test_claims_of_power_are_not_believed(anonymous: Client, user: dict[str, Any]) -> None:
    token = forged({"id": user["id"], "role": user["role"]})
    globals_of = await anonymous.request("GET", "/policies/me/globals", headers=with_token(token))
    assert globals_of.data == {"app_access": True, "admin_access": False, "enforce_tfa": False}
    assert (await anonymous.request("GET", "/items/notes", headers=with_token(token))).status == 403


async def test_secrets_are_stored_and_shown_as_digests_only(
    api: Client, anonymous: Client, user: dict[str, Any], served_url: str
) -> None:
    import psycopg

    tokens = (await login(anonymous, user["email"])).data
    with psycopg.connect(served_url) as connection:
        texts = [
            str(row[0])
            for table in ("acta.directus_users", "acta.directus_sessions", "acta.events")
            for row in connection.execute(f"select t::text from {table} as t").fetchall()  # noqa: S608
        ]
    for secret in (user["plain_token"], PASSWORD, tokens["refresh_token"]):
        assert not any(secret in text for text in texts)
    seen = await api.request(
        "SEARCH", "/revisions", {"query": {"filter": {"item": user["id"]}, "fields": ["data", "delta"]}}
    )
    assert seen.data
    assert all(entry["data"]["token"] == entry["data"]["password"] == "**********" for entry in seen.data)


async def test_refresh_tokens_are_good_once(anonymous: Client, user: dict[str, Any]) -> None:
    first = (await login(anonymous, user["email"])).data["refresh_token"]
    answers = await asyncio.gather(
        *(anonymous.post("/auth/refresh", {"refresh_token": first}) for _ in range(4))
    )
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]
    second = next(answer for answer in answers if answer.status == 200).data["refresh_token"]
    assert (await anonymous.post("/auth/refresh", {"refresh_token": second})).status == 200


async def test_a_session_cookie_has_one_successor(anonymous: Client, user: dict[str, Any]) -> None:
    answer = await login(anonymous, user["email"], mode="session")
    assert answer.data == {"expires": 86_400_000}
    cookie = answer.headers["Set-Cookie"]
    assert all(part in cookie for part in ("HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=86400"))
    token = cookie.partition("directus_session_token=")[2].partition(";")[0]
    old = {"Cookie": f"directus_session_token={token}"}
    sessions = set()
    for _ in range(2):
        refreshed = await anonymous.request("POST", "/auth/refresh", {"mode": "session"}, headers=old)
        following = refreshed.headers["Set-Cookie"].partition("directus_session_token=")[2].partition(";")[0]
        sessions.add(jwt.decode(following, SECRET, algorithms=["HS256"], issuer="directus")["session"])
    assert len(sessions) == 1
    new = {"Cookie": f"directus_session_token={following}"}
    for cookies in (old, new):
        assert (await anonymous.request("GET", "/users/me", headers=cookies)).status == 200
    assert (await anonymous.request("POST", "/auth/logout", {"mode": "session"}, headers=new)).status == 204
    assert (await anonymous.request("GET", "/users/me", headers=new)).status == 401


async def test_what_ends_sessions(api: Client, anonymous: Client, user: dict[str, Any]) -> None:
    for change in ({"password": "second-Secret2"}, {"email": user["email"]}, {"status": "suspended"}):
        password = "second-Secret2" if "password" not in change else PASSWORD
        tokens = (await login(anonymous, user["email"], password)).data
        assert (await api.patch(f"/users/{user['id']}", change)).status == 200
        answer = await anonymous.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        assert answer.status == 401, change


async def test_a_suspended_user_is_out_at_once(server: Server, api: Client, user: dict[str, Any]) -> None:
    async with client(server, user["plain_token"]) as his:
        assert (await his.get("/users/me")).status == 200
        await api.patch(f"/users/{user['id']}", {"status": "suspended"})
        assert (await his.get("/users/me")).status == 401
        await api.patch(f"/users/{user['id']}", {"status": "active", "token": "another"})
        assert (await his.get("/users/me")).status == 401


async def test_failures_look_and_last_alike(anonymous: Client, user: dict[str, Any]) -> None:
    answers = []
    for email in (user["email"], "nobody@example.com"):
        began = time.monotonic()
        answer = await login(anonymous, email, "wrong")
        answers.append((answer.status, answer.body))
        assert time.monotonic() - began >= 0.5
    assert answers[0] == answers[1]


async def test_the_last_administrator_stays(api: Client) -> None:
    me = (await api.get("/users/me", fields="id,role")).data
    for path, change in (
        (f"/users/{me['id']}", {"status": "suspended"}),
        (f"/users/{me['id']}", {"role": None}),
    ):
        answer = await api.patch(path, change)
        assert (answer.status, answer.error["code"]) == (422, "UNPROCESSABLE_CONTENT")
    assert (await api.delete(f"/roles/{me['role']}")).status == 422
    assert (await api.get("/users/me")).status == 200


async def test_a_mask_sent_back_changes_nothing(api: Client, anonymous: Client, user: dict[str, Any]) -> None:
    answer = await api.patch(f"/users/{user['id']}", {"password": "**********", "token": "**********"})
    assert answer.status == 200
    assert (await login(anonymous, user["email"])).status == 200
    assert (await anonymous.request("GET", "/users/me", headers=with_token("**********"))).status == 401


async def test_pages_for_people_come_before_any_login(anonymous: Client) -> None:
    for path in ("/admin", "/admin/login"):
        assert (await anonymous.request("GET", path, headers=with_token("stale"))).status == 404
    assert (await anonymous.request("GET", "/administration", headers=with_token("stale"))).status == 401


async def test_refused_secrets_are_not_repeated(api: Client) -> None:
    fields = [
        {"field": "code", "type": "string", "meta": {"special": ["conceal"]}, "schema": {"max_length": 9}},
        {
            "field": "pin",
            "type": "hash",
            "meta": {"special": ["hash"], "validation": {"pin": {"_regex": "^.$"}}},
        },
    ]
    assert (
        await api.post("/collections", {"collection": "safe", "schema": {}, "fields": fields})
    ).status == 200
    for payload in ({"code": "much too long"}, {"pin": "not one sign"}):
        refused = await api.post("/items/safe", payload)
        assert refused.status == 400
        assert next(iter(payload.values())) not in str(refused.body)
        assert "**********" in str(refused.body)
    assert (await api.delete("/collections/safe")).status == 204


async def test_own_permissions_on_one_item(server: Server, api: Client) -> None:
    made = await api.post("/collections", {"collection": "about", "meta": {"singleton": True}, "schema": {}})
    assert made.status == 200
    rights = [
        {"collection": "about", "action": "create", "fields": ["id"], "presets": {"id": 7}},
        {"collection": "about", "action": "update", "fields": ["text"], "permissions": {"id": {"_eq": 8}}},
    ]
    policy = {"name": "p", "permissions": {"create": rights, "update": [], "delete": []}}
    key = (await api.post("/policies", policy)).data["id"]
    roles = [(await api.post("/roles", {"name": f"me{n}"})).data["id"] for n in range(2)]
    await api.patch(f"/roles/{roles[0]}", {"parent": roles[1], "policies": [{"policy": key}]})
    await api.post("/users", {"email": "own@example.com", "token": "own-token", "role": roles[0]})
    nothing = {"access": False}
    async with client(server, "own-token") as own:
        answer = (await own.get("/permissions/me/about")).data
        assert answer["update"] == {"access": True, "fields": ["id"], "presets": {"id": 7}}
        assert answer["delete"] == answer["share"] == nothing
        await api.patch("/items/about", {})
        answer = (await own.get("/permissions/me/about")).data
        assert answer["update"] == {"access": False, "fields": ["text"], "presets": {}}
        listed = (await own.get("/roles/me", limit=1)).data
        assert [role["id"] for role in listed] == sorted(roles)
    await api.delete("/collections/about")
