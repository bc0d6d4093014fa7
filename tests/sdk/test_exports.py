"""Imports and exports of the official SDK."""

from __future__ import annotations

from pathlib import Path

import psycopg

from tests.sdk.test_items import SDK
from tests.support.node import TYPESCRIPT, node
from tests.support.server import ADMIN_TOKEN, running_server

SCRIPT = Path(__file__).with_name("exports.mts")
SCHEMA = "create table posts (id serial primary key, title text not null, views int, extra jsonb)"


def test_imports_and_exports(database_url: str) -> None:
    packages = node(SDK, *TYPESCRIPT)
    with psycopg.connect(database_url) as connection:
        connection.execute(SCHEMA)
    with running_server(database_url, "--no-followers") as server:
        done = packages.run_typed(SCRIPT, {"ACTA_URL": server.url, "ACTA_TOKEN": ADMIN_TOKEN})
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stdout + done.stderr
