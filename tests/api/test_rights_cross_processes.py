"""A change of rights counts for the next request, in the process that made it and soon in all others."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.support.http import Client, client
from tests.support.server import Server, running_server


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    """Wait until a check holds. Raises AssertionError when it never does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if await check():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came to hold")


async def test_rights_given_and_taken(
    api: Client, anonymous: Client, server: Server, served_url: str
) -> None:
    public = "abf8a154-5b1c-4a46-ac9c-7300570f4f17"
    with running_server(served_url, "--no-followers") as second:
        async with client(second, None) as elsewhere:
            assert (await elsewhere.get("/items/notes")).status == 403
            for _ in range(3):
                right = {"policy": public, "collection": "notes", "action": "read", "fields": ["title"]}
                made = await api.post("/permissions", right)
                assert (await anonymous.get("/items/notes")).status == 200

                async def allowed() -> bool:
                    return (await elsewhere.get("/items/notes")).status == 200

                await eventually(allowed)
                await api.delete(f"/permissions/{made.data['id']}")
                assert (await anonymous.get("/items/notes")).status == 403

                async def refused() -> bool:
                    return (await elsewhere.get("/items/notes")).status == 403

                await eventually(refused)


async def test_rules_speak_of_the_caller(api: Client, server: Server) -> None:
    rule = {
        "collection": "tags",
        "action": "read",
        "fields": ["*"],
        "permissions": {"label": {"_eq": "$CURRENT_USER.first_name"}},
    }
    policy = {"name": "own tag", "permissions": {"create": [rule], "update": [], "delete": []}}
    made = await api.post("/policies", policy)
    for name in ("slash", "odd"):
        await api.post(
            "/users",
            {
                "email": f"{name}@example.com",
                "first_name": name,
                "token": f"token-of-{name}",
                "policies": [{"policy": made.data["id"]}],
            },
        )
    for name in ("slash", "odd"):
        async with client(server, f"token-of-{name}") as own:
            assert (await own.get("/items/tags", fields="label")).data == [{"label": name}]
    async with client(server, "token-of-odd") as own:
        them = await api.get("/users", filter={"first_name": "odd"}, fields="id")
        await api.patch(f"/users/{them.data[0]['id']}", {"first_name": "per cent"})
        assert (await own.get("/items/tags", fields="label")).data == [{"label": "per cent"}]


async def test_a_policy_for_one_address(api: Client, server: Server) -> None:
    rule = {"collection": "notes", "action": "read", "fields": ["*"]}
    policy = {
        "name": "from one address",
        "ip_access": ["10.0.0.0/8"],
        "permissions": {"create": [rule], "update": [], "delete": []},
    }
    made = await api.post("/policies", policy)
    await api.post(
        "/users",
        {"email": "ip@example.com", "token": "token-of-ip", "policies": [{"policy": made.data["id"]}]},
    )
    async with client(server, "token-of-ip") as own:
        for address, status in (("10.1.2.3", 200), ("11.1.2.3", 403), ("10.9.9.9", 200), ("nonsense", 403)):
            answer = await own.request("GET", "/items/notes", headers={"X-Forwarded-For": address})
            assert answer.status == status, address
    for wrong in ("10.0.0.1", ["10.0.0.0/255.0.0.0"], ["10.*"]):
        assert (await api.patch(f"/policies/{made.data['id']}", {"ip_access": wrong})).status == 400
