"""`acta log` and `acta verify` as a person runs them."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from projections.database import Database
from projections.log.prepare import prepare
from projections.log.seal import Sealer
from tests.log.support import run
from tests.support.server import acta, environment

EVENTS = """
    insert into acta.events (topic, collection, item, actor, payload, meta) values
    ('collection.created', 'articles', 'articles', null, '{"new": {"collection": "articles"}}', null),
    ('item.created', 'articles', '5', '00000000-0000-0000-0000-000000000001',
     '{"id": 5, "price": 12345678901234567890.50}', '{"fields": ["price"]}'),
    ('item.updated', 'authors', '1', null, '{"name": "secret"}', null),
    ('item.deleted', 'articles', '5', null, null, null),
    ('user.login', 'directus_users', 'x', null, null, null)
"""


async def sealed(database: Database) -> None:
    async with await database.dedicated() as connection:
        sealer = await Sealer.try_open(connection)
        assert sealer is not None
        await sealer.seal()


async def filled(url: str) -> None:
    async with await Database.open(url) as database:
        await prepare(database)
        await run(database, EVENTS)
        await sealed(database)


@pytest.fixture
def log_url(database_url: str) -> str:
    asyncio.run(filled(database_url))
    return database_url


def output(url: str, *arguments: str) -> list[str]:
    done = acta(url, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return list(done.stdout.splitlines())


def positions(lines: list[str]) -> list[int]:
    return [int(line.split()[0]) for line in lines]


def test_events_are_lines_without_values(log_url: str) -> None:
    lines = output(log_url, "log")
    assert positions(lines) == [1, 2, 3, 4, 5]
    assert lines[1].split("  ")[-2:] == ["articles/5", "id, price"]
    assert "secret" not in "".join(lines)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--since", "3"], [4, 5]),
        (["--since", "99"], []),
        (["--since", "1h"], [1, 2, 3, 4, 5]),
        (["--since", (datetime.now(UTC) + timedelta(hours=1)).isoformat()], []),
        (["--since", "2020-01-01"], [1, 2, 3, 4, 5]),
        (["--collection", "articles"], [1, 2, 4]),
        (["--schema"], [1]),
        (["--schema", "--collection", "authors"], []),
    ],
)
def test_some_of_them(log_url: str, arguments: list[str], expected: list[int]) -> None:
    assert positions(output(log_url, "log", *arguments)) == expected


def test_json_holds_everything(log_url: str) -> None:
    lines = output(log_url, "log", "--json")
    assert '"payload":{"id": 5, "price": 12345678901234567890.50}' in lines[1]
    event = orjson.loads(lines[1])
    assert event["actor"] == "00000000-0000-0000-0000-000000000001"
    assert event["meta"] == {"fields": ["price"]}
    assert orjson.loads(lines[3])["payload"] is None


def test_a_senseless_moment_is_one_line(log_url: str) -> None:
    done = acta(log_url, "log", "--since", "soon")
    assert done.returncode == 2
    assert done.stderr.startswith("acta: --since soon: ")


async def test_what_happens_is_followed(log_url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.main", "log", "--follow", "--since", "4",
        env=environment(log_url), cwd=os.getcwd(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert positions([(await asyncio.wait_for(process.stdout.readline(), 60)).decode()]) == [5]
    async with await Database.open(log_url) as database:
        await run(database, EVENTS)
        await sealed(database)
    for position in range(6, 11):
        line = await asyncio.wait_for(process.stdout.readline(), 40)
        assert positions([line.decode()]) == [position]
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.communicate(), 40) == (b"", b"")
    assert process.returncode == 0


def test_a_sound_log_verifies_and_gives_an_anchor(log_url: str) -> None:
    done = acta(log_url, "verify")
    assert done.returncode == 0
    anchor = done.stdout.strip()
    position, root = anchor.split(":")
    assert (position, len(root)) == ("5", 64)
    assert "the log is sound: 5 events" in done.stderr
    assert acta(log_url, "verify", "--expect", anchor).returncode == 0
    done = acta(log_url, "verify", "--expect", "5:" + "0" * 64)
    assert (done.returncode, done.stdout) == (1, "")
    assert "rewritten" in done.stderr


async def test_tampering_is_named(log_url: str) -> None:
    async with await Database.open(log_url) as database:
        await run(
            database,
            "set session_replication_role = replica",
            "update acta.events set payload = null where seq = 3",
            "reset session_replication_role",
        )
    done = acta(log_url, "verify")
    assert (done.returncode, done.stdout) == (1, "")
    assert "acta: position 3: event 3 was changed\n" in done.stderr


@pytest.mark.parametrize("expect", ["5", "x:00", "5:zz", "5:00"])
def test_an_anchor_has_a_form(log_url: str, expect: str) -> None:
    assert acta(log_url, "verify", "--expect", expect).returncode == 2


@pytest.mark.parametrize("command", ["verify", "log"])
def test_a_database_without_a_log_is_one_line(database_url: str, command: str) -> None:
    done = acta(database_url, command)
    assert done.returncode == 1
    assert "no log yet" in done.stderr.splitlines()[-1]
