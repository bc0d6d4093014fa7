"""Servers that are killed and rights that change meanwhile: nothing is missed, and nothing told too late."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
import pytest

from tests.realtime.conftest import SETTINGS, Socket, signed_in
from tests.realtime.test_graphql import begun
from tests.support.http import Client, client
from tests.support.server import Server, running_server, start
from tests.support.waiting import until

Way = Literal["json", "graphql"]
RULE = {
    "collection": "notes",
    "action": "read",
    "fields": ["id", "title"],
    "permissions": {"owner": {"_eq": "me"}},
}
LISTENING = """
FROM pg_stat_activity WHERE query ILIKE 'listen acta_rights%' AND datname = current_database()
"""


@dataclass
class Hearing:
    """A subscription to all of `notes` that is told positions, over either kind of socket."""

    way: Way
    socket: Socket
    position: int = 0

    async def begin(self, since: int) -> None:
        if self.way == "json":
            answer = await self.socket.ask(
                type="subscribe",
                collection="notes",
                since=since,
                event=None,
                query={"fields": ["id", "title"]},
            )
            assert answer["event"] == "init"
            return
        payload = {
            "query": "subscription { notes_mutated { key event data { title } } }",
            "extensions": {"since": since},
        }
        await self.socket.send(type="subscribe", id="1", payload=payload)

    async def event(self) -> tuple[str, list[str]]:
        """The next event, with the titles of its items, or their keys."""
        frame = await self.socket.frame()
        assert frame is not None
        if self.way == "json":
            if frame.get("status") == "error":
                return "error", []
            self.position = frame["position"]
            told = frame["data"]
            return frame["event"], [one["title"] if isinstance(one, dict) else str(one) for one in told]
        if frame["type"] == "error":
            return "error", []
        self.position = frame["payload"]["extensions"]["position"]
        told = frame["payload"]["data"]["notes_mutated"]
        return told["event"], [told["data"]["title"] if told["data"] else told["key"]]


@asynccontextmanager
async def hearing(server: Server, token: str, way: Way, since: int = 0) -> AsyncIterator[Hearing]:
    opening: AbstractAsyncContextManager[Socket] = (
        signed_in(server, token) if way == "json" else begun(server, token)
    )
    async with opening as socket:
        found = Hearing(way, socket)
        await found.begin(since)
        yield found


@pytest.fixture(scope="module")
def other(served_url: str) -> Iterator[Server]:
    """The server that stays."""
    with running_server(served_url, extra=SETTINGS) as running:
        yield running


@pytest.fixture
async def api(other: Server) -> AsyncIterator[Client]:
    async with client(other) as found:
        yield found


async def reader(api: Client, name: str, owner: str = "me", **more: Any) -> tuple[str, str]:
    """Somebody who may read notes of an owner: the token, and the permission's id."""
    policy = (await api.post("/policies", {"name": name})).data["id"]
    rule = {**RULE, "policy": policy, "permissions": {"owner": {"_eq": owner}}}
    rule_id = (await api.post("/permissions", rule)).data["id"]
    token = f"token-of-{name}-{os.getpid()}"
    user = {"email": f"{name}@example.com", "token": token, "policies": [{"policy": policy}], **more}
    assert (await api.post("/users", user)).status == 200
    return token, str(rule_id)


async def make(api: Client, title: str, owner: str = "me") -> str:
    return str((await api.post("/items/notes", {"title": title, "owner": owner})).data["id"])


@pytest.mark.parametrize("way", ["json", "graphql"])
async def test_who_comes_back_to_a_killed_server_misses_nothing_that_he_may_see(
    served_url: str, api: Client, way: Way
) -> None:
    token, rule = await reader(api, f"back-{way}")
    killed = start(served_url, extra=SETTINGS)
    try:
        async with hearing(killed, token, way) as first:
            goes, kept = await make(api, "goes"), await make(api, "kept")
            title = ""
            while title != "kept":
                _, [title] = await first.event()
            killed.kill()
            assert await first.socket.frame() is None
        await make(api, "theirs", "you")
        lost = await make(api, "lost")
        await api.patch(f"/items/notes/{kept}", {"title": "changed"})
        await api.patch(f"/items/notes/{lost}", {"owner": "you"})
        await api.delete(f"/items/notes/{lost}")
        await api.delete(f"/items/notes/{goes}")
        await make(api, "secret")
        await make(api, "last")
        # Since it was written, one title more is nobody's business.
        narrower = {"_and": [RULE["permissions"], {"title": {"_neq": "secret"}}]}
        assert (await api.patch(f"/permissions/{rule}", {"permissions": narrower})).status == 200
        killed = start(served_url, port=killed.port, extra=SETTINGS)
        async with hearing(killed, token, way, first.position) as again:
            assert [await again.event() for _ in range(3)] == [
                ("update", ["changed"]),
                ("delete", [goes]),
                ("create", ["last"]),
            ]
            assert await again.socket.silent()
    finally:
        if killed.process.poll() is None:
            killed.stop()


@pytest.mark.parametrize("way", ["json", "graphql"])
async def test_rights_lost_elsewhere_count_though_nobody_hears_of_them(
    served_url: str, server: Server, api: Client, way: Way
) -> None:
    """The connections that changes of rights are told over are cut; the log tells of them, too."""
    token, rule = await reader(api, f"lost-{way}")
    async with hearing(server, token, way) as socket:
        await make(api, f"before {way}")
        while await socket.event() != ("create", [f"before {way}"]):
            pass
        with psycopg.connect(served_url, autocommit=True) as connection:

            async def all_listen() -> bool:
                count = connection.execute(f"SELECT count(*) {LISTENING}").fetchone()
                return count is not None and count[0] >= 2

            await until(all_listen)
            connection.execute(f"SELECT pg_terminate_backend(pid) {LISTENING}")
        await make(api, "between")
        assert await socket.event() == ("create", ["between"])
        assert (await api.delete(f"/permissions/{rule}")).status == 204
        await make(api, "after")
        assert await socket.event() == ("error", [])
        assert await socket.socket.silent()


@pytest.mark.parametrize("way", ["json", "graphql"])
async def test_rules_that_look_something_up_look_each_time(server: Server, api: Client, way: Way) -> None:
    """What they look up may be any row, whose change is no change of rights."""
    if (await api.get("/collections/teams")).status != 200:
        fields = [{"field": "name", "type": "string", "schema": {"is_primary_key": True}}]
        fields.append({"field": "says", "type": "string", "schema": {}})
        await api.post("/collections", {"collection": "teams", "schema": {}, "fields": fields})
        await api.post("/fields/directus_users", {"field": "team", "type": "string", "schema": {}})
        relation = {"collection": "directus_users", "field": "team", "related_collection": "teams"}
        assert (await api.post("/relations", relation)).status == 200
    await api.post("/items/teams", {"name": way, "says": f"first {way}"})
    token, _ = await reader(api, f"team-{way}", "$CURRENT_USER.team.says", team=way)
    async with hearing(server, token, way) as socket:
        await make(api, "seen", f"first {way}")
        assert await socket.event() == ("create", ["seen"])
        assert (await api.patch(f"/items/teams/{way}", {"says": f"second {way}"})).status == 200
        await make(api, "not any more", f"first {way}")
        await make(api, "by now", f"second {way}")
        assert await socket.event() == ("create", ["by now"])
