"""What the compiler answers equals what graphql-core answers with a resolver for each field.

Random documents on random models. `ACTA_GRAPHQL_CASES=2000 .ci/test tests/graphql/test_equality.py` is the
long run; `ACTA_GRAPHQL_SEED` begins it elsewhere.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from api.graphql.documents import Documents as Parsed
from api.graphql.kept import Asked, Ready
from api.graphql.persisted import Persisted
from api.graphql.prepare import Preparing
from api.graphql.run import Engine
from api.graphql.schema import Schemas
from api.graphql.sdl import sdl
from api.items import Items
from api.keys import CONTEXT, Context
from domain.access.caller import Caller
from domain.access.rights import ADMINISTRATOR
from domain.query.limits import QueryLimits
from projections.database import Database
from projections.reading.reader import Reader
from tests.graphql.oracle.chance import Documents, other_texts
from tests.graphql.oracle.naive import Naive
from tests.graphql.oracle.worlds import random_world
from tests.reading.conftest import fill
from tests.support.worlds import World

CASES = int(os.environ.get("ACTA_GRAPHQL_CASES", "240"))
SEED = int(os.environ.get("ACTA_GRAPHQL_SEED", "1"))
WORLDS = max(4, CASES // 100)


class Unheard:
    """Items whose readings nobody is asked about or told of."""

    @property
    def events(self) -> Unheard:
        """Those of all reads."""
        return self

    async def asks_queries(self) -> bool:
        """Nobody."""
        return False

    async def shows(self, *_: object) -> bool:
        """To nobody."""
        return False

    async def tell(self, *_: object) -> None:
        """Tell nobody."""


def asking(database: Database, world: World) -> tuple[Engine, Context, web.Request]:
    """An engine over a world's tables, and a request of the administrator."""
    reader = Reader(database, QueryLimits())
    parsed = Parsed(5000, introspection=True)
    preparing = Preparing(reader, reader.limits, None)
    items = cast("Items", Unheard())
    engine = Engine(Schemas({}), parsed, preparing, items, Persisted(), Ready(preparing))
    context = Context("", Caller(), ADMINISTRATOR, world.model())
    request = make_mocked_request("POST", "/graphql")
    request[CONTEXT] = context
    return engine, context, request


@pytest.mark.timeout(60 + CASES // 10)
@pytest.mark.parametrize("number", range(WORLDS))
async def test_the_compiler_answers_as_resolvers_do(database_url: str, number: int) -> None:
    chance = random.Random(SEED * 1000 + number)
    made = random_world(chance)
    await fill(database_url, made.world, made.rows)
    seen: Counter[str] = Counter()
    async with await Database.open(database_url, maximum=2) as database:
        engine, context, request = asking(database, made.world)
        naive = Naive(made, sdl(await engine.schemas.of(context.model, ADMINISTRATOR, "items")))
        documents = Documents(chance, naive.schema, made)
        for _ in range(CASES // WORLDS):
            query, given = documents.make()
            document = await engine.document(context, "items", query)
            # Again with other texts, which the first run may have left open.
            for variables in (given, other_texts(chance, given)):
                answer = json.loads(await engine.run(request, document, Asked(query, variables)))
                expected, failed = naive.run(query, variables)
                note = f"{query}\n{json.dumps(variables)}\n{json.dumps(answer.get('errors'))}"
                assert [error["path"] for error in answer.get("errors", [])] == failed, note
                found = _difference(_shaped(answer["data"], query), _shaped(expected, query))
                assert not found, f"{found}\n{note}"
                seen["errors"] += len(failed)
                seen["size"] += len(json.dumps(expected))
                seen["variables"] += len(variables)
                seen["changed"] += variables != given
    # What finds nothing proves nothing.
    cases = CASES // WORLDS
    assert seen["size"] > 300 * cases
    assert seen["variables"] > cases // 2
    assert seen["changed"] > cases // 50


async def test_texts_and_keys_share_a_prepared_query(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World().collection("notes", {"id": "integer", "title": "string"})
    await fill(database_url, world, {"notes": [{"id": 1, "title": "a"}, {"id": 2, "title": "b"}]})
    prepared, query = [], Preparing.query

    def counting(*arguments: Any, **more: Any) -> Any:
        prepared.append(arguments)
        return query(*arguments, **more)

    monkeypatch.setattr(Preparing, "query", counting)
    async with await Database.open(database_url, maximum=2) as database:
        engine, context, request = asking(database, world)

        async def ask(text: str, variables: dict[str, Any]) -> Any:
            document = await engine.document(context, "items", text)
            return json.loads(await engine.run(request, document, Asked(text, variables, "q")))["data"]

        listed = "query q($t: String) { notes(filter: {title: {_eq: $t}}) { id } }"
        found = [await ask(listed, {"t": text}) for text in ("a", "b", "c", "$NOW", "a")]
        assert [len(one["notes"]) for one in found] == [1, 1, 0, 0, 1]
        assert len(prepared) == 2
        by_id = "query q($id: ID!) { notes_by_id(id: $id) { title } }"
        assert [await ask(by_id, {"id": key}) for key in ("1", 2)] == [
            {"notes_by_id": {"title": "a"}},
            {"notes_by_id": {"title": "b"}},
        ]
        assert len(prepared) == 3


def _shaped(data: Any, query: str) -> Any:
    """Groups come in any order, and sums of parts are only nearly equal."""
    return {
        name: sorted(map(_rounded, value), key=json.dumps)
        if isinstance(value, list) and _is_aggregate(name, query)
        else _rounded(value)
        for name, value in data.items()
    }


def _difference(got: Any, expected: Any, path: str = "") -> str:
    """The first place where two answers differ, members in another order included; empty if they don't."""
    if isinstance(got, dict) and isinstance(expected, dict) and [*got] == [*expected]:
        found = (_difference(got[name], expected[name], f"{path}.{name}") for name in got)
        return next(filter(None, found), "")
    if isinstance(got, list) and isinstance(expected, list) and len(got) == len(expected):
        pairs = enumerate(zip(got, expected, strict=True))
        found = (_difference(one, other, f"{path}[{place}]") for place, (one, other) in pairs)
        return next(filter(None, found), "")
    same = type(got) is type(expected) and got == expected and not isinstance(got, (dict, list))
    return "" if same else f"{path}: {json.dumps(got)} instead of {json.dumps(expected)}"


def _is_aggregate(name: str, query: str) -> bool:
    return query.partition(f"{name}: ")[2].split("(")[0].split()[0].endswith("_aggregated")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return float(f"{value:.9g}")
