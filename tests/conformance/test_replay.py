"""Replays recorded scenarios against a really started server; `expected.json` says what has to pass.

Each area there maps steps that may fail, because they record a defect of the reference or what is not built
yet, to the reason. Any other difference fails, and so does an exception that passes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.support.server import ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, Server, start

pytestmark = [pytest.mark.conformance, pytest.mark.slow]

HERE = Path(__file__).parent
KIT = Path(os.environ.get("ACTA_SHARED") or HERE.parents[2] / "shared") / "conformance"
EXPECTED: dict[str, dict[str, str]] = json.loads((HERE / "expected.json").read_text())


@pytest.fixture(scope="module")
def server(postgres_url: str) -> Iterator[Server]:
    name = sql.Identifier(f"acta_conformance_{os.getpid()}")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 LOCALE 'C.UTF-8'").format(name))
        url = psycopg.conninfo.make_conninfo(postgres_url, dbname=f"acta_conformance_{os.getpid()}")
        running = start(url)
        try:
            yield running
        finally:
            assert running.stop() == 0
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def replay(server: Server, area: str, report: Path) -> list[dict[str, Any]]:
    """Run the kit on one area; what it reports."""
    command = [sys.executable, str(KIT / "replay.py"), "--url", server.url, "--token", ADMIN_TOKEN]
    command += ["--email", ADMIN_EMAIL, "--password", ADMIN_PASSWORD, "--only", area, "--json", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert report.is_file(), done.stdout + done.stderr
    found: list[dict[str, Any]] = json.loads(report.read_text())
    return found


@pytest.mark.timeout(400)
@pytest.mark.parametrize("area", sorted(EXPECTED))
def test_area(server: Server, area: str, tmp_path: Path) -> None:
    results = replay(server, area, tmp_path / "report.json")
    assert results
    exceptions = EXPECTED[area]
    steps = [
        (f"{result['scenario']} / {step['name']}", step) for result in results for step in result["steps"]
    ]
    wrong = [
        f"{name}: {step['request']} {step['differences'] or step['blocked_by']}"
        for name, step in steps
        if not step["passed"] and name not in exceptions
    ]
    assert not wrong, "\n".join(wrong)
    failed = {name for name, step in steps if not step["passed"]}
    assert exceptions.keys() <= failed, "an exception passes: remove it from expected.json"
