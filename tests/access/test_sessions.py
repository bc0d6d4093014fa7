"""What belongs to one login ends together, whatever cookies and tokens are about."""

from __future__ import annotations

import asyncio
from collections import Counter

import jwt
import psycopg
import pytest

from domain.access.secrets import digest
from tests.access.test_attacks import cookie_of, status
from tests.support.http import Answer, Client
from tests.support.people import PASSWORD, bearer, end_grace, login, person
from tests.support.server import environment

SECRET = environment("")["SECRET"]
SESSION = {"mode": "session"}


def token_in(cookie: str) -> str:
    """The token of a session that a cookie carries."""
    claims = jwt.decode(cookie.partition("=")[2], SECRET, algorithms=["HS256"], issuer="directus")
    return str(claims["session"])


async def refresh(anonymous: Client, cookie: str) -> Answer:
    return await anonymous.request("POST", "/auth/refresh", SESSION, headers={"Cookie": cookie})


async def seen(anonymous: Client, cookie: str) -> int:
    return (await anonymous.request("GET", "/users/me", headers={"Cookie": cookie})).status


async def logout(anonymous: Client, cookie: str) -> None:
    left = await anonymous.request("POST", "/auth/logout", SESSION, headers={"Cookie": cookie})
    assert left.status == 204


@pytest.fixture
async def family(api: Client, anonymous: Client) -> list[str]:
    """The cookies of a login that was refreshed twice, all of them within the grace period."""
    her = await person(api)
    cookies = [cookie_of(await login(anonymous, her.email, mode="session"))]
    for _ in range(2):
        cookies.append(cookie_of(await refresh(anonymous, cookies[-1])))
    assert [await seen(anonymous, cookie) for cookie in cookies] == [200, 200, 200]
    return cookies


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_no_cookie_of_a_login_outlives_its_logout(
    anonymous: Client, family: list[str], place: int, served_url: str
) -> None:
    await logout(anonymous, family[place])
    for cookie in family:
        assert await seen(anonymous, cookie) == 401
        # Its successor is known before it is asked for: it must not come back.
        assert (await refresh(anonymous, cookie)).status == 401
        assert await seen(anonymous, cookie) == 401
        token = {"refresh_token": token_in(cookie), "mode": "json"}
        assert (await anonymous.post("/auth/refresh", token)).status == 401
    with psycopg.connect(served_url) as connection:
        tokens = [digest(token_in(cookie)) for cookie in family]
        count = "select count(*) from acta.directus_sessions where token = any(%s)"
        assert connection.execute(count, [tokens]).fetchone() == (0,)


async def test_a_session_signed_out_elsewhere_leaves_no_cookie(anonymous: Client, family: list[str]) -> None:
    own = {"Cookie": family[-1]}
    listed = (await anonymous.request("GET", "/users/me/sessions", headers=own)).data
    [current] = [entry["id"] for entry in listed if entry["current"]]
    path = f"/users/me/sessions/{current}"
    assert (await anonymous.request("DELETE", path, headers=own)).status == 204
    for cookie in family:
        assert (await refresh(anonymous, cookie)).status == 401
        assert await seen(anonymous, cookie) == 401


async def test_a_stolen_cookie_costs_the_thief_his_session(
    anonymous: Client, family: list[str], served_url: str
) -> None:
    assert (await refresh(anonymous, family[0])).status == 200
    end_grace(served_url)
    # The grace period is over: whoever refreshes it now is not who got the successor.
    assert await seen(anonymous, family[2]) == 200
    assert (await refresh(anonymous, family[0])).status == 401
    assert await seen(anonymous, family[2]) == 401
    assert (await refresh(anonymous, family[2])).status == 401


async def test_a_session_with_a_successor_gets_no_second_one(anonymous: Client, family: list[str]) -> None:
    token = {"refresh_token": token_in(family[0]), "mode": "json"}
    assert (await anonymous.post("/auth/refresh", token)).status == 401
    assert (
        await anonymous.post("/auth/refresh", {**token, "refresh_token": token_in(family[2])})
    ).status == 200


async def test_refreshes_at_once(api: Client, anonymous: Client) -> None:
    her = await person(api)
    for _ in range(3):
        first = (await login(anonymous, her.email)).data["refresh_token"]
        answers = await asyncio.gather(
            *(anonymous.post("/auth/refresh", {"refresh_token": first}) for _ in range(12))
        )
        assert Counter(answer.status for answer in answers) == {200: 1, 401: 11}
        [won] = [answer.data for answer in answers if answer.status == 200]
        # Sent twice at once is no theft: who was quicker keeps what he got.
        assert await status(anonymous, won["access_token"]) == 200
        following = {"refresh_token": won["refresh_token"]}
        assert (await anonymous.post("/auth/refresh", following)).status == 200
    cookie = cookie_of(await login(anonymous, her.email, mode="session"))
    refreshed = await asyncio.gather(*(refresh(anonymous, cookie) for _ in range(12)))
    assert {answer.status for answer in refreshed} == {200}
    successors = {token_in(cookie_of(answer)) for answer in refreshed}
    assert len(successors) == 1


async def test_refresh_and_logout_at_once(api: Client, anonymous: Client) -> None:
    """Whichever comes first: afterwards nothing of the login is left."""
    her = await person(api)
    for _ in range(4):
        cookie = cookie_of(await login(anonymous, her.email, mode="session"))
        first = (await login(anonymous, her.email)).data["refresh_token"]
        answers = await asyncio.gather(
            *(refresh(anonymous, cookie) for _ in range(4)), logout(anonymous, cookie)
        )
        for answer in answers[:-1]:
            if answer is not None and answer.status == 200:
                assert await seen(anonymous, cookie_of(answer)) == 401
        assert (await refresh(anonymous, cookie)).status == 401
        body = {"refresh_token": first}
        both = await asyncio.gather(
            anonymous.post("/auth/refresh", body), anonymous.post("/auth/logout", body)
        )
        if both[0].status == 200:
            after = {"refresh_token": both[0].data["refresh_token"]}
            assert (await anonymous.post("/auth/refresh", after)).status == 401


async def test_a_new_password_signs_out_everywhere_else(api: Client, anonymous: Client) -> None:
    her = await person(api)
    own, other = [cookie_of(await login(anonymous, her.email, mode="session")) for _ in range(2)]
    tokens = (await login(anonymous, her.email)).data
    older = cookie_of(await login(anonymous, her.email, mode="session"))
    newer = cookie_of(await refresh(anonymous, older))
    answer = await anonymous.request(
        "PATCH", "/users/me", {"password": "third-Secret3"}, headers={"Cookie": own}
    )
    assert answer.status == 200
    assert await seen(anonymous, own) == 200
    for cookie in (other, older, newer):
        assert await seen(anonymous, cookie) == 401
        assert (await refresh(anonymous, cookie)).status == 401
    assert await status(anonymous, tokens["access_token"]) == 401
    assert (await anonymous.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})).status == 401
    assert (await login(anonymous, her.email, PASSWORD)).status == 401
    assert (await login(anonymous, her.email, "third-Secret3")).status == 200
    # A static token is no session: it is changed by itself.
    assert (await anonymous.request("GET", "/users/me", headers=bearer(her.token))).status == 200
