"""What 100,000 edits take on disk: our log against the reference's activity and revisions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psycopg

from bench.client import call
from bench.databases import Databases
from bench.reference import install
from bench.registration import register
from bench.servers import Server, acta_server, reference_server

BATCH = 500
# Activity and revisions of the reference; ours with everything that belongs to the log.
SIZES = {
    "reference": """
        select pg_total_relation_size('directus_activity') + pg_total_relation_size('directus_revisions')
    """,
    "acta": """
        select sum(pg_total_relation_size(inhrelid)) + pg_total_relation_size('acta.seals')
            + pg_total_relation_size('acta.requests') + pg_total_relation_size('acta.snapshots')
        from pg_inherits where inhparent = 'acta.events'::regclass
    """,
}


class EditError(Exception):
    """A server refused an edit."""


def compare(databases: Databases, work: Path, edits: int, say: Callable[[str], None]) -> float:
    """Make the same edits on both sides; gives our bytes in parts of the reference's."""
    taken = {}
    for side in ("reference", "acta"):
        databases.prepare(side, ())
        server = _server(side, databases.url(side), work)
        server.start()
        try:
            if side == "reference":
                register(server.url, ())
            before = _size(databases.url(side), side)
            _edit(server, edits)
            taken[side] = (_size(databases.url(side), side) - before) / edits
        finally:
            server.stop()
        say(f"{side}: {taken[side]:,.0f} bytes an edit")
    return taken["acta"] / taken["reference"]


def _server(side: str, url: str, work: Path) -> Server:
    if side == "acta":
        return acta_server(url, work)
    server = reference_server(install(work), url, work)
    # Nothing is registered yet, so nothing of ours can be read.
    server.first = "/server/ping"
    return server


def _edit(server: Server, edits: int) -> None:
    for first in range(1, edits + 1, BATCH):
        keys = list(range(first, min(first + BATCH, edits + 1)))
        body = {"keys": keys, "data": {"title": f"Edited from {first} on", "views": first, "status": "draft"}}
        answer = call(f"{server.url}/items/articles?fields=id", "PATCH", json.dumps(body).encode())
        if not answer.ok:
            raise EditError(f"{server.side} refused an edit")


def _size(url: str, side: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum analyze")
        row = connection.execute(SIZES[side].encode()).fetchone()
    assert row is not None
    return int(row[0])
