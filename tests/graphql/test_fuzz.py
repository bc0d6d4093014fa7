"""Broken and malicious requests to a running server: each is answered, or refused as the contract says.

Documents that are right are taken apart and put together wrongly, their values exchanged for bad ones, and
sent in every way there is. `ACTA_GRAPHQL_FUZZ=50000 .ci/test tests/graphql/test_fuzz.py` is the long run;
`ACTA_GRAPHQL_SEED` begins it elsewhere.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

import pytest

from domain.graphql import kinds
from tests.support.http import Answer, Client, client
from tests.support.queries import BAD_VALUES, INJECTIONS
from tests.support.server import Server, start

REQUESTS = int(os.environ.get("ACTA_GRAPHQL_FUZZ", "1200"))
SEED = int(os.environ.get("ACTA_GRAPHQL_SEED", "1"))
AT_ONCE = 8
FILTERED = "query q($f: posts_filter) { posts(filter: $f) { id comments { post { id } } } }"
SEEDS = Path(__file__).with_name("seeds")
ITEMS, SYSTEM = ((SEEDS / f"{name}.graphql").read_text().split("\n\n") for name in ("items", "system"))
VARIABLES: dict[str, Any] = json.loads((SEEDS / "variables.json").read_text())
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|\.\.\.|-?\d+(?:\.\d+)?|\S')
_NAMES = sorted({token for text in ITEMS + SYSTEM for token in _TOKEN.findall(text) if token[0].isalpha()})
OPERATORS = sorted({name for operators in kinds.OPERATORS.values() for name in operators})
_PIECES = (SEEDS / "pieces.txt").read_text().splitlines()
ODD_HEADERS = [
    *(
        {"Content-Type": f"application/{name}"}
        for name in ("graphql", "x-www-form-urlencoded", "json; charset=a")
    ),
    *({"Content-Encoding": "gzip"}, {"If-Match": "*"}, {"If-None-Match": "*"}, {"Idempotency-Key": "fuzz"}),
    {"Accept": "application/graphql-response+json"},
]


@pytest.fixture(scope="module")
def stderr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server writes what nobody expected."""
    return tmp_path_factory.mktemp("graphql") / "stderr"


@pytest.fixture(scope="module")
def server(server_url: str, stderr: Path) -> Iterator[Server]:
    output: IO[bytes]
    with stderr.open("wb") as output:
        running = start(server_url, "--no-followers", stderr=output.fileno())
        try:
            yield running
        finally:
            if running.process.poll() is None:
                running.stop()


@pytest.fixture
async def callers(blog: Server, api: Client) -> AsyncIterator[list[Client]]:
    """The administrator, and somebody with some rights."""
    rule = {"collection": "posts", "permissions": {"author": {"name": {"_eq": "Ann"}}}}
    rules = [
        {**rule, "action": "read", "fields": ["id", "title", "author", "comments", "published"]},
        {**rule, "action": "update", "fields": ["title"], "validation": {"title": {"_nnull": True}}},
        {"collection": "authors", "action": "read", "fields": ["name", "posts"]},
        {"collection": "comments", "action": "read", "fields": ["*"], "permissions": {"id": {"_gt": 1}}},
        {"collection": "notes", "action": "create", "fields": ["*"], "presets": {"body": "$CURRENT_USER"}},
    ]
    made = {"name": "some", "permissions": {"create": rules, "update": [], "delete": []}}
    policy = (await api.post("/policies", made)).data["id"]
    user = {"email": "some@example.com", "token": "some-token", "policies": [{"policy": policy}]}
    assert (await api.post("/users", user)).status == 200
    async with client(blog, "some-token") as some:
        yield [api, some]


def deep(levels: int, inner: Any) -> Any:
    """Conditions inside conditions."""
    for level in range(levels):
        inner = {"_and": [inner]} if level % 2 else {"author": {"posts": {"_some": inner}}}
    return inner


def mutated(chance: random.Random, text: str) -> str:
    """A document with some of its tokens gone, doubled, exchanged or new."""
    tokens = _TOKEN.findall(text)
    for _ in range(chance.choice([0, 0, 1, 1, 1, 2, 8])):
        values = [place for place, token in enumerate(tokens) if token[0] in '"0123456789-']
        if values and chance.random() < 0.6:
            # A text or a number for another leaves the document valid more often than not.
            texts = chance.choice([*BAD_VALUES, *INJECTIONS])
            tokens[chance.choice(values)] = json.dumps(texts if isinstance(texts, (str, int)) else str(texts))
            continue
        place = chance.randrange(len(tokens))
        kind = chance.random()
        if kind < 0.15:
            del tokens[place]
        elif kind < 0.25:
            other = chance.randrange(len(tokens))
            tokens[place], tokens[other] = tokens[other], tokens[place]
        elif kind < 0.35:
            tokens.insert(place, chance.choice(_PIECES))
        elif kind < 0.45:
            end = chance.randint(place, min(len(tokens), place + 12))
            tokens[place:place] = tokens[place:end] * chance.choice([1, 1, 1, 40, 300])
        elif tokens[place][0].isalpha():
            tokens[place] = chance.choice(_NAMES)
        else:
            tokens[place] = chance.choice(_PIECES)
        tokens = tokens or ["{"]
    joined = " ".join(tokens)
    if chance.random() < 0.03:
        joined = joined[: chance.randrange(len(joined))]
    if chance.random() < 0.02:
        levels = chance.choice([5, 60, 120, 200, 400])
        joined = f"{{ posts{' { author { posts' * levels} {{ id }} {'} }' * levels} }}"
    return joined


def varied(chance: random.Random, value: Any) -> Any:
    """A value with something in it exchanged."""
    if isinstance(value, dict) and value and chance.random() < 0.7:
        name = chance.choice(list(value))
        return {**value, name: varied(chance, value[name])}
    if isinstance(value, list) and value and chance.random() < 0.5:
        return [varied(chance, value[0]), *value]
    return chance.choice([*BAD_VALUES, *INJECTIONS])


def filtering(chance: random.Random, depth: int = 3) -> Any:
    """A filter on posts whose names are right, and whose values need not be."""
    kind = chance.random()
    if depth and kind < 0.25:
        below = [filtering(chance, depth - 1) for _ in range(chance.randint(0, 3))]
        return {chance.choice(["_and", "_or"]): below}
    if depth and kind < 0.4:
        return {"author": {"posts": {chance.choice(["_some", "_none"]): filtering(chance, depth - 1)}}}
    field = chance.choice(["id", "title", "state", "hits", "price", "published", "extra", "bytes", "tags"])
    if kind < 0.5:
        field, operators = chance.choice([("comments_func", ["count"]), ("published_func", ["year", "hour"])])
        return {field: {chance.choice(operators): {chance.choice(OPERATORS): bad(chance)}}}
    return {field: {chance.choice(OPERATORS): bad(chance) for _ in range(chance.choice([1, 1, 2]))}}


def bad(chance: random.Random) -> Any:
    """Something to compare with."""
    value = chance.choice([*BAD_VALUES, *INJECTIONS])
    return chance.choice([value, value, str(value), [value, chance.choice(BAD_VALUES)]])


def body_of(chance: random.Random, text: str) -> Any:
    """The body of a request."""
    variables: Any = {**VARIABLES, "f": filtering(chance)}
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        name = chance.choice(list(variables))
        variables[name] = varied(chance, variables[name])
    if chance.random() < 0.03:
        variables["f"] = deep(chance.choice([3, 20, 60, 90, 120, 200, 300]), {"id": {"_eq": 1}})
    if chance.random() < 0.02:
        variables = chance.choice(BAD_VALUES)
    body: dict[str, Any] = {"query": text, "variables": variables}
    kind = chance.random()
    if kind < 0.05:
        body["operationName"] = chance.choice(["q", "m", "nothing", "", *BAD_VALUES])
    elif kind < 0.1:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        persisted = {"version": 1, "sha256Hash": chance.choice([digest, "0" * 64, None, 5])}
        body["extensions"] = chance.choice([{"persistedQuery": persisted}, {"persistedQuery": 5}, [], "x"])
        if chance.random() < 0.5:
            del body["query"]
    elif kind < 0.13:
        body["query"] = chance.choice(BAD_VALUES)
    elif kind < 0.15:
        return chance.choice([[body], [body, body], [], *BAD_VALUES])
    return body


async def send(api: Client, chance: random.Random) -> Answer:
    """One request."""
    path = chance.choice(["/graphql", "/graphql", "/graphql/system"])
    text = chance.choice(SYSTEM if path.endswith("system") else ITEMS)
    text = FILTERED if chance.random() < 0.2 and not path.endswith("system") else mutated(chance, text)
    body = body_of(chance, text)
    headers = chance.choice(ODD_HEADERS) if chance.random() < 0.05 else {}
    if chance.random() < 0.1 and isinstance(body, dict):
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
        path = f"{path}?{urlencode(texts, errors='replace')[:6000]}"
        return await api.request("GET", path, headers=headers)
    content = json.dumps(body).encode()
    if chance.random() < 0.02:
        content = content[: chance.randrange(len(content))] + chance.choice([b"", b"\xff", b"}"])
    if "Content-Encoding" in headers:
        content = gzip.compress(content)
    method = chance.choice(["POST"] * 60 + ["PUT", "SEARCH", "DELETE"])
    return await api.request(method, path, content=content, headers=headers)


def wrong(answer: Answer) -> str | None:
    """What is wrong with an answer; None when it is as the contract says."""
    if answer.status not in (200, 304, 400, 405, 415, 422):
        return f"status {answer.status}"
    if answer.status == 304:
        return None
    body = answer.body
    if not isinstance(body, dict) or not body.keys() <= {"data", "errors"} or not body:
        return "no answer of GraphQL"
    for error in body.get("errors", ()):
        code = error["extensions"]["code"]
        # Without a path it is about the variables or the operation.
        if code == "INTERNAL_SERVER_ERROR" and "path" in error:
            return f"unexpected: {error['message']}"
    return None


@pytest.mark.timeout(90 + REQUESTS // 50)
async def test_nothing_that_is_sent_is_unexpected(
    callers: list[Client], server: Server, stderr: Path
) -> None:
    seen: Counter[str] = Counter()
    loop, slowest = asyncio.get_running_loop(), 0.0

    async def work(number: int) -> None:
        nonlocal slowest
        chance = random.Random(SEED * 1000 + number)
        for turn in range(REQUESTS // AT_ONCE):
            began = loop.time()
            answer = await send(callers[turn % 3 // 2], chance)
            slowest = max(slowest, loop.time() - began)
            assert wrong(answer) is None, (wrong(answer), number, turn, answer.body)
            codes = [error["extensions"]["code"] for error in (answer.body or {}).get("errors", ())]
            seen[codes[0] if codes else "none"] += 1

    await asyncio.gather(*(work(number) for number in range(AT_ONCE)))
    assert server.process.poll() is None
    assert "Traceback" not in stderr.read_text()
    # What only refuses would prove nothing.
    assert seen["none"] > REQUESTS // 12, seen
    assert seen["INVALID_QUERY"] > REQUESTS // 40, seen
    assert seen["GRAPHQL_VALIDATION"] > REQUESTS // 10, seen
    assert slowest < 10


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("query ($v: Boolean = true) { posts_by_id(id: 1) { id @include(if: $v) } }", 200),
        ("query ($v: Boolean = true) { posts_by_id(id: 1) @skip(if: $v) { id } }", 400),
        ('query ($v: ID = "1") { posts_by_id(id: $v) { id } }', 200),
        ('mutation ($v: ID = "1") { delete_notes_item(id: $v) { id } }', 200),
    ],
)
async def test_null_where_a_default_was_meant(api: Client, query: str, status: int) -> None:
    """A variable with a default may stand where no null may, and can still be sent as null."""
    answer = await api.post("/graphql", {"query": query, "variables": {"v": None}})
    assert (answer.status, answer.body["errors"][0]["extensions"]["code"]) == (status, "INVALID_QUERY")
