"""Comments: who may write them, and who hears of them."""

from __future__ import annotations

from tests.support.http import Client, client
from tests.support.server import Server

WRITER = "token-of-a-writer"


async def test_mentioned_people_are_notified(server: Server, api: Client, anonymous: Client) -> None:
    policy = (await api.post("/policies", {"name": "commenting"})).data["id"]
    for name, action, rule in (
        ("notes", "read", {"id": {"_eq": 1}}),
        ("directus_comments", "create", {}),
        ("directus_notifications", "read", {}),
    ):
        entry = {"policy": policy, "collection": name, "action": action, "fields": ["*"], "permissions": rule}
        assert (await api.post("/permissions", entry)).status == 200
    seeing = {"email": "seeing@example.com", "first_name": "<b>See", "token": WRITER}
    user = (await api.post("/users", {**seeing, "policies": [{"policy": policy}]})).data["id"]
    blind = (await api.post("/users", {"email": "blind@example.com"})).data["id"]
    nobody = "0b8c2f5e-1111-4111-8111-111111111111"
    text = f"Look @{user} and @{user}, @{blind}, @{nobody}"
    on_first = {"collection": "notes", "item": "1", "comment": text}
    assert (await api.post("/comments", on_first)).status == 200
    found = (await api.get("/notifications", fields="*")).data
    assert [(row["recipient"], row["subject"], row["collection"], row["item"]) for row in found] == [
        (user, "You were mentioned in notes", "notes", "1")
    ]
    assert "<em>&lt;b&gt;See</em>" in found[0]["message"]
    assert "/admin/content/notes/1" in found[0]["message"]
    assert found[0]["sender"] == (await api.get("/users/me", fields="id")).data["id"]
    async with client(server, WRITER) as writer:
        assert (await writer.post("/comments", {**on_first, "comment": "mine"})).status in (200, 204)
        assert (await writer.post("/comments", {**on_first, "item": "2"})).status == 403
    assert (await anonymous.post("/comments", on_first)).status == 403
    assert len((await api.get("/notifications")).data) == 1
