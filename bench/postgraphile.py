"""PostGraphile as a second peer: the two cases of GraphQL, asked in its words under the same names.

It compiles queries to SQL, too, and is told nothing of rights. Answers are compared first.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bench import load, reference
from bench.cases import CASES, Case
from bench.check import DifferentAnswersError, ask, difference
from bench.databases import Databases
from bench.registration import register
from bench.results import Result
from bench.servers import Server, acta_server, free_port

PACKAGES = ("postgraphile@5.1.5", "postgraphile-plugin-connection-filter@4.0.1")
GOAL = 1.0
_CONFIG = Path(__file__).with_name("postgraphile.config.mjs")
_LIST = """query ($before: Datetime!) {
  articles: allArticlesList(first: 50, orderBy: [PUBLISHED_AT_DESC],
    filter: {status: {equalTo: "published"}, publishedAt: {lessThan: $before}}) {
    id: rowId title status published_at: publishedAt author: authorByAuthor { id: rowId name }
    comments: commentsByArticleList { id: rowId body author: authorByAuthor { name } }
    tags: articleTagsByArticlesIdList { tags_id: tagByTagsId { id: rowId name } }
  }
}"""
_ITEM = """query ($id: Int!) {
  articles_by_id: articleByRowId(rowId: $id) {
    id: rowId title slug status summary published_at: publishedAt views featured
    author: authorByAuthor { id: rowId }
  }
}"""
_BODIES = {
    "graphql_nested": json.dumps({"query": _LIST, "variables": {"before": "<year>-<month>-<day>T00:00:00Z"}}),
    # A number, unlike a text, stands without quotes.
    "graphql_item": json.dumps({"query": _ITEM, "variables": {"id": "<id>"}}).replace('"<id>"', "<id>"),
}
_TITLES = {"graphql_nested": "list 50, nested 4 relations", "graphql_item": "item by id"}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def measure(
    postgres: str, work: Path, seconds: float, rounds: int, say: Callable[[str], None]
) -> list[Result]:
    """Both cases on both servers, interleaved; PostGraphile stands in the place of the reference."""
    databases = Databases(postgres)
    for side in ("acta", "postgraphile"):
        databases.prepare(side, ())
    ours = acta_server(databases.url("acta"), work)
    theirs = _server(databases.url("postgraphile"), work)
    results = []
    try:
        for server in (ours, theirs):
            say(f"{server.side}: starting")
            server.start()
        register(ours.url, ())
        for case in (case for case in CASES if case.name in _BODIES):
            other = replace(case, name=f"{case.name}_postgraphile", body=_BODIES[case.name])
            _compare(case, other, ours, theirs)
            result = Result(_TITLES[case.name], case.unit, GOAL)
            for number in range(rounds):
                result.add("acta", load.rate(case, ours.url, seconds, work))
                result.add("reference", load.rate(other, theirs.url, seconds, work))
                say(f"{case.name} {number + 1}/{rounds}: {_latest(result)}")
            results.append(result)
    finally:
        for server in (ours, theirs):
            server.stop()
    return results


def table(results: list[Result]) -> str:
    """The Markdown table of the results."""
    rows = [
        f"| {one.title} | {one.median('reference'):,.0f} | {one.median('acta'):,.0f} "
        f"| {one.against_reference:.1f}x | {one.goal_reference:g}x | {one.verdict} |"
        for one in results
    ]
    head = [
        "| case, req/s | PostGraphile | acta | acta / PostGraphile | goal | verdict |",
        "|---|--:|--:|--:|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def _latest(result: Result) -> str:
    names = {"reference": "postgraphile"}
    return ", ".join(f"{names.get(side, side)} {values[-1]:,.0f}" for side, values in result.rounds.items())


def _server(database: str, work: Path) -> Server:
    node, home = reference.install_node(work), work / "postgraphile"
    path = f"{node.parent}{os.pathsep}{os.environ['PATH']}"
    if not (home / "complete").exists():
        reference.npm(home, {**os.environ, "PATH": path}, "install", *PACKAGES)
        (home / "complete").touch()
    shutil.copy(_CONFIG, home / "graphile.config.mjs")
    port = free_port()
    environment = {
        **os.environ,
        "PATH": path,
        "DATABASE_URL": database,
        "PORT": str(port),
        "NODE_ENV": "production",
    }
    program = home / "node_modules" / "postgraphile" / "dist" / "cli-run.js"
    command = [str(node), str(program), "--config", "graphile.config.mjs"]
    url = f"http://127.0.0.1:{port}"
    return Server("postgraphile", url, command, [], environment, home, "/graphql?query=%7B__typename%7D")


def _compare(case: Case, other: Case, ours: Server, theirs: Server) -> None:
    for part in range(1, 5):
        values = {variable.name: variable.sample(part, 5) for variable in case.variables}
        mine, peers = _plain(ask(case, ours, values).json), _plain(ask(other, theirs, values).json)
        if found := difference(mine, peers):
            raise DifferentAnswersError(f"{case.name}: {found}")


def _plain(value: object) -> object:
    """JSON with numbers as text and moments in one form."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if isinstance(value, str) and _MOMENT.match(value):
        return datetime.fromisoformat(value).isoformat()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
