"""Lets the real reference make the database that the tests take over, and keeps it with what it answered."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from bench.client import call
from bench.load import LoadError
from bench.reference import install
from bench.servers import Server, reference_server
from bench.takeover.story import requests
from cli.postgres.place import installed_programs
from cli.postgres.server import SUPERUSER, running

DATA = Path(__file__).parents[2] / "tests" / "data"
DATABASE = "reference"
# What no newer or older client may trip over when it reads the dump.
NOISE = ("\\restrict", "\\unrestrict", "SET transaction_timeout")
ANSWERS = (
    "/users?sort=email&fields=*,policies.policy.name",
    "/roles?sort=name&fields=*",
    "/policies?sort=name&fields=*",
    "/permissions?sort=id&fields=*",
    "/files?sort=id&fields=*",
    "/folders?sort=id",
    "/presets?sort=id",
    "/translations?sort=id",
    "/comments?sort=id",
    "/notifications?sort=id",
    "/dashboards?fields=*,panels.*",
    "/flows?fields=*,operations.*",
    "/shares?fields=*",
    "/versions?fields=*",
    "/settings",
    "/activity?sort=id&limit=-1&fields=*,revisions.id",
    "/revisions?sort=id&limit=-1&fields=*,activity.action",
    "/collections",
    "/fields",
    "/relations",
    "/items/stories?fields=*,tags.tag.name,blocks.item:quotes.text,translations.*,author.email,cover.title&limit=-1",
    "/items/topics?fields=*,stories.title",
    "/items/site",
    "/items/untracked",
    "/schema/snapshot",
)
BY_HAND = """
    create table untracked (id integer primary key, made timestamptz default now(), tags text[]);
    insert into untracked values (1, '2024-01-01', '{a,b}');
    create view seen as select title from stories;
"""


def record(work: Path) -> None:
    """Install and run the reference below `work`, and write the dump and its answers to the tests' data."""
    reference = install(work)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with running(Path(folder), say=print) as postgres:
            with psycopg.connect(postgres.url(SUPERUSER), autocommit=True) as connection:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
            url = postgres.tcp_url(DATABASE)
            with _started(reference_server(reference, url, work)) as server:
                _tell(server)
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute(BY_HAND)
                _ask(server, "POST", "/utils/cache/clear?system")
                answers = {path: _ask(server, "GET", path) for path in ANSWERS}
            _keep("directus-11.sql.gz", _dump(url))
            _keep("directus-11.answers.json.gz", json.dumps(answers, indent=1).encode())


@contextmanager
def _started(server: Server) -> Iterator[Server]:
    server.first = "/server/ping"
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _tell(server: Server) -> None:
    for method, path, body in requests():
        _ask(server, method, path, None if body is None else json.dumps(body))
    form, kind = _picture()
    picture = _ask(server, "POST", "/files", form, kind)["data"]["id"]
    _ask(server, "PATCH", "/items/stories/1", json.dumps({"cover": picture}))
    version = _ask(server, "GET", "/versions")["data"][0]["id"]
    changes = {"title": "Another title", "rank": 5}
    _ask(server, "POST", f"/versions/{version}/save", json.dumps(changes))


def _ask(
    server: Server,
    method: str,
    path: str,
    body: str | bytes | None = None,
    kind: str = "application/json",
) -> Any:
    answer = call(server.url + path, method, body, kind)
    if not answer.ok:
        raise LoadError(f"{method} {path}: {answer.status} {answer.body.decode()}")
    return json.loads(answer.body) if answer.body else None


def _picture() -> tuple[bytes, str]:
    """A form with the smallest of pictures: one white dot."""
    boundary = "takeover"
    head = 'Content-Disposition: form-data; name="file"; filename="dot.gif"\r\nContent-Type: image/gif'
    title = 'Content-Disposition: form-data; name="title"\r\n\r\nA dot'
    dot = base64.b64decode("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=")
    parts = f"--{boundary}\r\n{title}\r\n--{boundary}\r\n{head}\r\n\r\n".encode()
    return parts + dot + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _dump(url: str) -> bytes:
    command = [str(installed_programs() / "pg_dump"), "--no-owner", "--no-privileges", url]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return "".join(line for line in text.splitlines(True) if not line.startswith(NOISE)).encode()


def _keep(name: str, content: bytes) -> None:
    # Without a time in it, the same content is the same file.
    (DATA / name).write_bytes(gzip.compress(content, 9, mtime=0))
