"""All that is told to the outside while it happens: webhooks, requests of flows, sockets, the log stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.flows.conftest import make_flow
from tests.support.http import Client
from tests.support.server import ADMIN_TOKEN, Server, free_port
from tests.support.waiting import until

WATCHED = (
    "directus_users",
    "directus_shares",
    "directus_settings",
    "directus_webhooks",
    "directus_versions",
    "safe",
)
HOOK = "whsec_c2VjcmV0LW9mLXRoZS13ZWJob29rLTEx"


@dataclass
class Outside:
    """What was told, by where."""

    url: str = ""
    heard: dict[str, list[str]] = field(default_factory=dict)

    def hear(self, place: str, text: str) -> None:
        """Keep what was told somewhere."""
        self.heard.setdefault(place, []).append(text)

    async def until_quiet(self) -> None:
        """Wait until webhook, flow and sockets have told of the last change."""

        def missing() -> list[str]:
            places = ("/webhook", "/flow", "socket", "subscription", "log stream")
            return [place for place in places if len(self.heard.get(place, ())) < 2]

        async def told() -> bool:
            return not missing()

        try:
            await until(told, 60)
        except TimeoutError:
            raise AssertionError(f"nothing was heard at {missing()}: {self.heard}") from None

    async def take(self, request: web.Request) -> web.Response:
        """A request from the server."""
        self.hear(request.path, f"{dict(request.headers)} {await request.text()}")
        return web.Response(text="so it is")

    async def collect(self, place: str, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Keep the frames of a socket."""
        async for frame in socket:
            self.hear(place, str(frame.data))


@asynccontextmanager
async def outside() -> AsyncIterator[Outside]:
    """A receiver of requests."""
    found = Outside(f"http://127.0.0.1:{free_port()}")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(found.url.rpartition(":")[2])).start()
    try:
        yield found
    finally:
        await runner.cleanup()


async def hooked_up(api: Client, url: str) -> None:
    """A webhook, and a flow that hands on all it hears of."""
    webhook = {
        "name": "all",
        "url": f"{url}/webhook",
        "actions": ["create", "update"],
        "collections": ["safe"],
    }
    assert (await api.post("/webhooks", {**webhook, "secret": HOOK})).status == 200
    options = {
        "type": "action",
        "scope": ["items.create", "items.update", "auth.login", "activity.create", "revisions.create"],
        "collections": [*WATCHED],
    }
    body = '{"trigger": {{ $trigger }}, "last": {{ $last }}}'
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("again", "transform", {"json": "{{ $trigger }}"}),
        ("post", "request", {"method": "POST", "url": f"{url}/flow", "body": body}),
    ]
    await make_flow(api, steps, trigger="event", options=options)


@asynccontextmanager
async def listening(server: Server, found: Outside) -> AsyncIterator[None]:
    """Sockets of the administrator, with every field there is; `safe` has to be there."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(server.url))
        tasks = []
        plain = await stack.enter_async_context(session.ws_connect("/websocket"))
        await plain.send_json({"type": "auth", "access_token": ADMIN_TOKEN})
        for name in WATCHED:
            await plain.send_json(
                {"type": "subscribe", "collection": name, "query": {"fields": "*.*"}, "uid": name}
            )
        log = await stack.enter_async_context(
            session.ws_connect(f"/websocket/logs?access_token={ADMIN_TOKEN}")
        )
        await log.send_json({"type": "subscribe", "log_level": "info"})
        subscriptions = await stack.enter_async_context(
            session.ws_connect("/graphql", protocols=["graphql-transport-ws"])
        )
        await subscriptions.send_json({"type": "connection_init", "payload": {"access_token": ADMIN_TOKEN}})
        text = "subscription { safe_mutated { event data { id code pin key sealed } } }"
        await subscriptions.send_json({"type": "subscribe", "id": "1", "payload": {"query": text}})
        for place, socket in (("socket", plain), ("log stream", log), ("subscription", subscriptions)):
            tasks.append(asyncio.create_task(found.collect(place, socket)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
