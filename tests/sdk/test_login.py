"""The official SDK signs in: as JSON, by cookie, by session, with a static token."""

from __future__ import annotations

from pathlib import Path

from tests.sdk.test_items import SDK
from tests.support.node import TYPESCRIPT, node
from tests.support.server import ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, running_server

SCRIPT = Path(__file__).with_name("login.mts")


def test_signing_in(database_url: str) -> None:
    packages = node(SDK, *TYPESCRIPT)
    with running_server(database_url, "--no-followers", extra={"LOGIN_STALL_TIME": "10"}) as server:
        done = packages.run_typed(
            SCRIPT,
            {
                "ACTA_URL": server.url,
                "ACTA_TOKEN": ADMIN_TOKEN,
                "ACTA_EMAIL": ADMIN_EMAIL,
                "ACTA_PASSWORD": ADMIN_PASSWORD,
            },
        )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stdout + done.stderr
