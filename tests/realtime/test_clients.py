"""The official SDK and the usual GraphQL client hear of changes."""

import asyncio
from pathlib import Path

from tests.support.node import node
from tests.support.server import ADMIN_TOKEN, Server

SCRIPT = Path(__file__).with_name("clients.mjs")


async def test_sdk_and_graphql_ws(server: Server) -> None:
    packages = node("@directus/sdk@26.0.0", "graphql-ws@6.0.6", "graphql@16.11.0")
    environment = {"ACTA_URL": server.url, "ACTA_TOKEN": ADMIN_TOKEN}
    done = await asyncio.to_thread(packages.run, SCRIPT, environment)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stdout + done.stderr
