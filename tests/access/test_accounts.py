"""Accounts that come to be or are regained by mail, the second factor, lockout, sessions."""

import time
from typing import Any
from uuid import uuid4

import jwt
import psycopg
import pytest

from tests.support.http import Client, client
from tests.support.people import PASSWORD, bearer, login, one_time, person
from tests.support.server import Server
from tests.support.smtp import Mailbox

NEW = "second-Secret2"


async def test_a_forgotten_password(api: Client, anonymous: Client, mail: Mailbox) -> None:
    her = await person(api)
    before = (await login(anonymous, her.email)).data
    asked = {"email": her.email.upper(), "reset_url": "https://app.example.com/reset?from=mail"}
    assert (await anonymous.post("/auth/password/request", asked)).status == 204
    letter = await mail.letter(her.email)
    assert (letter["Subject"], letter["From"]) == ("Password Reset Request", "Directus <acta@example.com>")
    content = letter.get_content()
    assert "https://app.example.com/reset?from=mail&amp;token=" in content
    token = content.partition("token=")[2].partition('"')[0]
    wanted = {"token": token, "password": NEW}
    assert (await anonymous.post("/auth/password/reset", wanted)).status == 204
    again = await anonymous.post("/auth/password/reset", {**wanted, "password": "third"})
    assert (again.status, again.error["code"]) == (403, "FORBIDDEN")
    assert (await login(anonymous, her.email)).status == 401
    assert (await login(anonymous, her.email, NEW)).status == 200
    refreshed = await anonymous.post("/auth/refresh", {"refresh_token": before["refresh_token"]})
    assert refreshed.status == 401
    stale = await anonymous.request("GET", "/users/me", headers=bearer(before["access_token"]))
    assert stale.status == 401


async def test_letters_are_shown_to_filters(
    api: Client, anonymous: Client, mail: Mailbox, served_url: str
) -> None:
    """A flow may change a letter; the link in it, which lets its reader in, is not written down."""
    her = await person(api)
    flow = str(uuid4())
    step = {"name": "x", "key": "x", "type": "transform", "position_x": 1, "position_y": 1}
    data = {"url": "{{ $trigger.payload.template.data.url }}", "email": "you"}
    letter = {
        "to": "{{ $trigger.payload.to }}",
        "subject": "Mine",
        "template": {"name": "password-reset", "data": data},
    }
    options = {"type": "filter", "scope": ["email.send"], "return": "$last"}
    values = {"id": flow, "name": "f", "status": "active", "trigger": "event", "options": options}
    await api.post("/flows", values)
    made = await api.post("/operations", {**step, "flow": flow, "options": {"json": letter}})
    await api.patch(f"/flows/{flow}", {"operation": made.data["id"]})
    await anonymous.post("/auth/password/request", {"email": her.email})
    sent = await mail.letter(her.email)
    await api.delete(f"/flows/{flow}")
    assert sent["Subject"] == "Mine"
    assert "token=" in sent.get_content()
    with psycopg.connect(served_url) as connection:
        [(run,)] = connection.execute(
            "select payload::text from acta.events where topic = 'flow.run' and item = %s", [flow]
        ).fetchall()
    assert "password-reset" in run
    assert "token=" not in run


async def test_who_is_unknown_is_not_told(api: Client, anonymous: Client, mail: Mailbox) -> None:
    him = await person(api)
    await api.patch(f"/users/{him.id}", {"status": "suspended"})
    for email in ("nobody@example.com", him.email):
        answer = await anonymous.post("/auth/password/request", {"email": email})
        assert (answer.status, answer.body) == (204, None)
    refused = await anonymous.post(
        "/auth/password/request", {"email": him.email, "reset_url": "https://app.example.com.evil.org/reset"}
    )
    assert (refused.status, refused.error["code"]) == (400, "INVALID_PAYLOAD")
    assert (await anonymous.post("/auth/password/request", {})).status == 400
    assert not mail.letters


async def test_tokens_for_one_purpose_serve_no_other(api: Client, anonymous: Client, mail: Mailbox) -> None:
    her = await person(api)
    await anonymous.post("/auth/password/request", {"email": her.email})
    reset = await mail.token(her.email)
    access = (await login(anonymous, her.email)).data["access_token"]
    for path, token, status in (
        ("/users/invite/accept", reset, 403),
        ("/auth/password/reset", access, 403),
        ("/auth/password/reset", "no token", 403),
        ("/users/invite/accept", "a.b.c", 403),
    ):
        answer = await anonymous.post(path, {"token": token, "password": NEW})
        assert answer.status == status, path
    assert (await anonymous.request("GET", "/users/me", headers=bearer(reset))).status == 403
    assert (await anonymous.get("/users/register/verify-email", token=reset)).status == 403


async def test_invitations(server: Server, api: Client, anonymous: Client, mail: Mailbox) -> None:
    her = await person(api)
    emails = ["ann@example.com", "Bob@example.com", her.email]
    wanted = {"email": emails, "role": her.role}
    assert (await api.post("/users/invite", wanted)).status == 204
    token = await mail.token("ann@example.com")
    assert (await mail.letter("Bob@example.com"))["Subject"] == "You've been invited"
    assert not mail.letters
    users = (await api.get("/users", filter={"email": "ann@example.com"}, fields="status,role")).data
    assert users == [{"status": "invited", "role": her.role}]
    assert (await login(anonymous, "ann@example.com")).status == 401
    accepted = {"token": token, "password": PASSWORD}
    assert (await anonymous.post("/users/invite/accept", accepted)).status == 204
    assert (await login(anonymous, "ann@example.com")).status == 200
    again = await anonymous.post("/users/invite/accept", accepted)
    assert (again.status, again.error["code"]) == (400, "INVALID_INVITE")
    async with client(server, her.token) as hers:
        for emails in (["new@example.com"], ["Bob@example.com"]):
            assert (await hers.post("/users/invite", {"email": emails, "role": her.role})).status == 403
    for body in (
        {"role": her.role},
        {"email": "x@example.com"},
        {"email": "x@example.com", "role": "admin"},
        {"email": [1], "role": her.role},
        {"email": "x@example.com", "role": her.role, "status": "active"},
        {"email": "x@example.com", "role": her.role, "invite_url": "https://evil.example"},
    ):
        assert (await api.post("/users/invite", body)).status == 400, body
    assert (await anonymous.post("/users/invite", {"email": "x@example.com", "role": her.role})).status == 403
    assert not mail.letters


async def test_registration(api: Client, anonymous: Client, mail: Mailbox) -> None:
    body = {"email": "reg@example.com", "password": PASSWORD, "first_name": "<b>Reg"}
    assert (await anonymous.post("/users/register", body)).status == 403
    role = (await person(api)).role
    settings: dict[str, Any] = {
        "public_registration": True,
        "public_registration_role": role,
        "public_registration_email_filter": {"email": {"_ends_with": "@example.com"}},
        "auth_password_policy": "/.{8,}/",
    }
    await api.patch("/settings", settings)
    try:
        assert (await anonymous.post("/users/register", {**body, "email": "a@example.org"})).status == 403
        assert (await anonymous.post("/users/register", {**body, "role": role})).status == 400
        weak = await anonymous.post("/users/register", {**body, "password": "weak"})
        assert (weak.status, weak.error["code"]) == (400, "FAILED_VALIDATION")
        assert (await anonymous.post("/users/register", body)).status == 204
        letter = await mail.letter("reg@example.com")
        assert "&lt;b&gt;Reg" in letter.get_content()
        # Another password changes nothing, but the link is sent again.
        assert (await anonymous.post("/users/register", {**body, "password": NEW})).status == 204
        token = await mail.token("reg@example.com")
        assert (await login(anonymous, "reg@example.com")).status == 401
        found = await anonymous.get("/users/register/verify-email", token=token)
        assert found.status in (200, 404)
        again = await anonymous.get("/users/register/verify-email", token=token)
        assert (again.status, again.error["code"]) == (400, "INVALID_PAYLOAD")
        assert (await login(anonymous, "reg@example.com")).status == 200
        assert (await anonymous.post("/users/register", body)).status == 204
        assert not mail.letters
        user = (await api.get("/users", filter={"email": "reg@example.com"}, fields="role")).data
        assert user == [{"role": role}]
        for path in ("", "?token=x"):
            assert (await anonymous.get(f"/users/register/verify-email{path}")).status == 403
        answers = [await anonymous.post("/users/register", {}) for _ in range(45)]
        assert answers[-1].status == 429
        assert answers[-1].error["limit"] == 40
        assert int(answers[-1].headers["Retry-After"]) >= 1
    finally:
        await api.patch("/settings", {"public_registration": False, "auth_password_policy": None})


async def test_the_second_factor(server: Server, api: Client, anonymous: Client, served_url: str) -> None:
    her = await person(api)
    async with client(server, her.token) as hers:
        assert (await hers.post("/users/me/tfa/generate", {})).status == 400
        assert (await hers.post("/users/me/tfa/generate", {"password": "wrong"})).status == 401
        made = (await hers.post("/users/me/tfa/generate", {"password": PASSWORD})).data
        assert made["otpauth_url"].startswith(f"otpauth://totp/Directus:{her.email}?secret={made['secret']}&")
        wrong = await hers.post("/users/me/tfa/enable", {"secret": made["secret"], "otp": "abc"})
        assert (wrong.status, wrong.error["reason"]) == (400, '"otp" is invalid')
        wanted = {"secret": made["secret"], "otp": await one_time(made["secret"])}
        assert (await hers.post("/users/me/tfa/enable", wanted)).status == 204
        assert (await hers.post("/users/me/tfa/enable", wanted)).status == 400
        assert (await hers.patch("/users/me", {"tfa_secret": None})).status == 400
        assert (await hers.get("/users/me", fields="tfa_secret")).data == {"tfa_secret": "**********"}
    answer = await login(anonymous, her.email)
    assert (answer.status, answer.error["code"]) == (401, "INVALID_OTP")
    assert (await login(anonymous, her.email, otp="000000")).status == 401
    assert (await login(anonymous, her.email, otp=await one_time(made["secret"]))).status == 200
    with psycopg.connect(served_url) as connection:
        for table in ("acta.directus_users", "acta.events"):
            texts = connection.execute(f"select t::text from {table} as t").fetchall()  # noqa: S608
            assert not any(made["secret"] in text for (text,) in texts)
    async with client(server, her.token) as hers:
        assert (await hers.post("/users/me/tfa/disable", {"otp": "1"})).status == 400
        assert (await hers.post(f"/users/{her.id}/tfa/disable", {})).status == 403
        assert (
            await hers.post("/users/me/tfa/disable", {"otp": await one_time(made["secret"])})
        ).status == 204
        assert (
            await hers.post("/users/me/tfa/disable", {"otp": await one_time(made["secret"])})
        ).status == 400
    assert (await login(anonymous, her.email)).status == 200
    assert (await api.post(f"/users/{her.id}/tfa/disable", {})).status == 204
    assert (await anonymous.post("/users/me/tfa/generate", {})).status == 401


async def test_a_second_factor_that_is_demanded(server: Server, api: Client, anonymous: Client) -> None:
    her = await person(api, enforce_tfa=True)
    access = (await login(anonymous, her.email)).data["access_token"]
    claims = jwt.decode(access, options={"verify_signature": False})
    assert claims["enforce_tfa"] is True
    limited = await person(
        api, {"collection": "directus_users", "action": "update", "fields": ["first_name"]}
    )
    async with client(server, limited.token) as his:
        made = (await his.post("/users/me/tfa/generate", {"password": PASSWORD})).data
        body = {"secret": made["secret"], "otp": await one_time(made["secret"])}
        assert (await his.post("/users/me/tfa/enable", body)).status == 403


async def test_wrong_passwords_suspend(api: Client, anonymous: Client) -> None:
    her = await person(api)
    await api.patch("/settings", {"auth_login_attempts": 3})
    try:
        for _ in range(2):
            for _ in range(2):
                assert (await login(anonymous, her.email, "wrong")).status == 401
            assert (await login(anonymous, her.email)).status == 200
        for _ in range(3):
            assert (await login(anonymous, her.email, "wrong")).status == 401
        assert (await login(anonymous, her.email)).status == 401
        assert (await api.get(f"/users/{her.id}", fields="status")).data == {"status": "suspended"}
        await api.patch(f"/users/{her.id}", {"status": "active"})
        assert (await login(anonymous, her.email)).status == 200
        # The only administrator is not suspended, and not to be guessed either.
        for _ in range(4):
            assert (await login(anonymous, "admin@example.com", "wrong")).status == 401
        assert (await login(anonymous, "admin@example.com", "d1r3ctu5")).status == 401
        assert (await api.get("/users/me", fields="status")).data == {"status": "active"}
    finally:
        await api.patch("/settings", {"auth_login_attempts": None})
    assert (await login(anonymous, "admin@example.com", "d1r3ctu5")).status == 200


async def test_sessions_are_listed_and_revoked(server: Server, api: Client, anonymous: Client) -> None:
    her = await person(api)
    first = (await login(anonymous, her.email)).data
    second = (await login(anonymous, her.email)).data
    cookie = (await login(anonymous, her.email, mode="session")).headers["Set-Cookie"].partition(";")[0]
    mine = (await anonymous.request("GET", "/users/me/sessions", headers={"Cookie": cookie})).data
    assert [entry["current"] for entry in mine].count(True) == 1
    assert len(mine) == 3
    assert first["refresh_token"] not in str(mine)
    other = next(entry["id"] for entry in mine if not entry["current"])
    async with client(server, (await person(api)).token) as stranger:
        assert (await stranger.delete(f"/users/me/sessions/{other}")).status == 403
        assert (await stranger.delete(f"/users/{her.id}/sessions")).status == 403
    headers = {"Cookie": cookie}
    assert (await anonymous.request("DELETE", f"/users/me/sessions/{other}", headers=headers)).status == 204
    answers = [
        await anonymous.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        for tokens in (first, second)
    ]
    assert sorted(answer.status for answer in answers) == [200, 401]
    assert (await anonymous.request("DELETE", "/users/me/sessions", headers=headers)).status == 204
    left = (await anonymous.request("GET", "/users/me/sessions", headers=headers)).data
    assert [entry["current"] for entry in left] == [True]
    assert (await api.delete(f"/users/{her.id}/sessions")).status == 204
    assert (await anonymous.request("GET", "/users/me", headers=headers)).status == 401


async def test_a_letter_is_tried_again(api: Client, anonymous: Client, mail: Mailbox) -> None:
    her = await person(api)
    mail.refusals = 1
    began = time.monotonic()
    await anonymous.post("/auth/password/request", {"email": her.email})
    assert (took := time.monotonic() - began) < 5, took
    await mail.letter(her.email)


@pytest.mark.parametrize("name", ["password-reset", "user-invitation", "user-registration", "base"])
def test_templates_may_be_replaced(name: str, tmp_path: Any) -> None:
    from services.mail.templates import as_html, render

    (tmp_path / "base.liquid").write_text("  [{% block content %}{{ html }}{% endblock %}]\n")
    text = render(name, str(tmp_path), {"url": "https://x?a=1&b=2", "email": "<x>", "html": as_html("<b>")})
    assert text.startswith("[")
    assert ("<b>" if name == "base" else "https://x?a=1&amp;b=2") in text
    assert "<x>" not in text
