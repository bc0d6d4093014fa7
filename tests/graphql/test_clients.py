"""What others use: urql, Apollo Client, GraphiQL's introspection, and a generator of TypeScript."""

import asyncio
from pathlib import Path

from tests.support.http import Client
from tests.support.node import TYPESCRIPT, node
from tests.support.server import ADMIN_TOKEN, Server

HERE = Path(__file__).parent
PACKAGES = (
    "graphql@16.11.0",
    "@apollo/client@4.3.8",
    "rxjs@7.8.2",
    "@urql/core@6.0.3",
    "@graphql-codegen/cli@7.4.3",
    "@graphql-codegen/typescript@6.1.0",
    "@graphql-codegen/typescript-operations@6.1.9",
    "@graphql-codegen/typed-document-node@7.1.1",
    "@graphql-typed-document-node/core@3.2.0",
)


async def test_clients_with_generated_types(blog: Server, api: Client) -> None:
    packages = node(*PACKAGES, *TYPESCRIPT)
    environment = {"ACTA_URL": blog.url, "ACTA_TOKEN": ADMIN_TOKEN}
    done = await asyncio.to_thread(
        packages.run_typed, HERE / "clients.mts", environment, HERE / "generate.mjs"
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stdout + done.stderr
