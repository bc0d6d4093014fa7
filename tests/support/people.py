"""Users for tests of access."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import Any

import psycopg
import pyotp

from tests.support.http import Answer, Client

PASSWORD = "first-Secret1"
SOME_SECONDS = 6
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Person:
    """A user with a static token and a role of his own, that has one policy."""

    id: str
    email: str
    token: str
    role: str
    policy: str


async def person(api: Client, *permissions: dict[str, Any], **policy: Any) -> Person:
    """Make a user; by default one with app access who may change all of himself but role and status."""
    number = next(_numbers)
    own = {
        "collection": "directus_users",
        "action": "update",
        "fields": ["password", "first_name", "tfa_secret"],
        "permissions": {"id": {"_eq": "$CURRENT_USER"}},
    }
    rules = {"create": list(permissions or [own]), "update": [], "delete": []}
    made = await api.post(
        "/policies", {"name": f"p{number}", "app_access": True, **policy, "permissions": rules}
    )
    role = await api.post("/roles", {"name": f"r{number}", "policies": [{"policy": made.data["id"]}]})
    email, token = f"person{number}@example.com", f"token-of-person-{number}"
    user = {"email": email, "password": PASSWORD, "role": role.data["id"], "token": token}
    answer = await api.post("/users", user)
    return Person(answer.data["id"], email, token, role.data["id"], made.data["id"])


async def login(anonymous: Client, email: str, password: str = PASSWORD, **more: Any) -> Answer:
    """Sign in."""
    return await anonymous.post("/auth/login", {"email": email, "password": password, **more})


def bearer(token: str) -> dict[str, str]:
    """A header with a token."""
    return {"Authorization": f"Bearer {token}"}


def end_grace(served_url: str) -> None:
    """Make it long ago that sessions and refresh tokens got their successors."""
    with psycopg.connect(served_url) as connection:
        connection.execute(
            "update acta.directus_sessions set expires = expires - interval '1 hour'"
            " where next_token is not null"
        )
        connection.execute("update acta.spent_tokens set spent_at = spent_at - interval '1 hour'")


async def one_time(secret: str) -> str:
    """A one-time password that will be good for some seconds."""
    code = pyotp.TOTP(secret)
    left = code.interval - time.time() % code.interval
    if left < SOME_SECONDS:
        await asyncio.sleep(left)
    return code.now()
