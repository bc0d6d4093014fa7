"""Random filters on random rows: what the reader finds equals what a naive evaluation in Python finds.

The naive evaluation joins: an item is found if some combination of one row per relation path (a missing one
counting as NULLs) meets the whole filter. That is the contract's rule for conditions under one path.
"""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest

from domain.access.caller import Caller
from domain.access.rights import ADMINISTRATOR
from domain.query.limits import QueryLimits
from projections.database import Database
from projections.reading.reader import Reader
from tests.reading.conftest import fill
from tests.support.worlds import World

Row = Mapping[str, Any]
Data = Mapping[str, list[Row]]

RELATIONS: Mapping[tuple[str, str], tuple[str, str, str]] = {
    # (collection, field): (target collection, column here, column there)
    ("parents", "boss"): ("parents", "boss", "id"),
    ("parents", "children"): ("children", "id", "parent"),
    ("children", "parent"): ("parents", "parent", "id"),
    ("children", "toys"): ("toys", "id", "child"),
    ("toys", "child"): ("children", "child", "id"),
}
MANY = {("parents", "children"), ("children", "toys")}
COLUMNS = {"parents": ["id", "n", "s"], "children": ["id", "x", "s"], "toys": ["id", "n"]}


def world() -> World:
    made = World()
    made.collection("parents", {"id": "integer", "n": "integer", "s": "string", "boss": "integer"})
    made.collection("children", {"id": "integer", "x": "integer", "s": "string", "parent": "integer"})
    made.collection("toys", {"id": "integer", "n": "integer", "child": "integer"})
    made.m2o("parents", "boss", "parents")
    made.m2o("children", "parent", "parents", "children")
    # Nothing enforces this one: toys may name children that are not there.
    made.m2o("toys", "child", "children", "toys", constraint=False)
    return made


def random_rows(chance: random.Random) -> Data:
    def number() -> Any:
        return chance.choice([None, 0, 1, 2, 3])

    def text() -> Any:
        return chance.choice([None, "", "a", "ab", "B"])

    def key(count: int) -> Any:
        return chance.choice([None, *range(1, count + 1)])

    return {
        "parents": [{"id": i, "n": number(), "s": text(), "boss": key(12)} for i in range(1, 13)],
        "children": [{"id": i, "x": number(), "s": text(), "parent": key(12)} for i in range(1, 16)],
        "toys": [{"id": i, "n": number(), "child": key(17)} for i in range(1, 16)],
    }


def random_filter(
    chance: random.Random, collection: str, depth: int, quantifiers: bool = True
) -> dict[str, Any]:
    kind = chance.random()
    if kind < 0.02:
        return chance.choice(({}, {"_and": []}, {"_or": []}))
    if depth > 0 and kind < 0.3:
        members = [
            random_filter(chance, collection, depth - 1, quantifiers) for _ in range(chance.randint(1, 3))
        ]
        return {chance.choice(["_and", "_or"]): members}
    if depth > 0 and kind < 0.65:
        name = chance.choice([name for owner, name in RELATIONS if owner == collection])
        target = RELATIONS[collection, name][0]
        if (collection, name) in MANY and quantifiers and chance.random() < 0.5:
            return {name: {chance.choice(["_some", "_none"]): random_filter(chance, target, depth - 1)}}
        return {name: random_filter(chance, target, depth - 1, quantifiers=False)}
    if kind < 0.72:
        name = chance.choice([name for owner, name in RELATIONS if owner == collection])
        return {name: random_condition(chance, "id")}
    name = chance.choice(COLUMNS[collection])
    return {name: random_condition(chance, name)}


def random_condition(chance: random.Random, name: str) -> dict[str, Any]:
    if chance.random() < 0.25:
        return {chance.choice(["_null", "_nnull"]): chance.choice([True, False])}
    if name == "s":
        operator = chance.choice(
            ["_eq", "_neq", "_in", "_nin", "_contains", "_ncontains", "_icontains", "_empty", "_nempty"]
        )
        if operator in ("_empty", "_nempty"):
            return {operator: chance.choice([True, False])}
        if operator in ("_in", "_nin"):
            return {operator: chance.sample(["a", "ab", "B", "c"], 2)}
        return {operator: chance.choice(["a", "b", "B"])}
    operator = chance.choice(["_eq", "_neq", "_lt", "_gte", "_in", "_nin", "_between", "_nbetween"])
    if operator in ("_in", "_nin", "_between", "_nbetween"):
        return {operator: sorted(chance.sample([0, 1, 2, 3, 4], 2))}
    return {operator: chance.choice([0, 1, 2, 3])}


# -- the naive evaluation ----------------------------------------------------------------------------------


def found(data: Data, collection: str, filter: Any) -> list[Any]:
    paths = sorted(set(needed(filter, collection, ())), key=len)
    return [
        row["id"]
        for row in data[collection]
        if any(holds(data, filter, c, collection, ()) for c in joined(data, collection, row, paths))
    ]


def needed(filter: Any, collection: str, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The relation paths of a filter, quantifiers aside."""
    for name, value in filter.items():
        if name in ("_and", "_or"):
            for member in value:
                yield from needed(member, collection, path)
        elif (collection, name) in RELATIONS and not ({"_some", "_none"} & set(value)):
            inner = {
                key: entry
                for key, entry in value.items()
                if not key.startswith("_") or key in ("_and", "_or")
            }
            if inner or (collection, name) in MANY:
                yield (*path, name)
                yield from needed(inner, RELATIONS[collection, name][0], (*path, name))


def related(data: Data, collection: str, row: Row | None, name: str) -> list[Row]:
    target, here, there = RELATIONS[collection, name]
    if row is None or row[here] is None:
        return []
    return [other for other in data[target] if other[there] == row[here]]


def joined(
    data: Data, collection: str, row: Row, paths: list[tuple[str, ...]]
) -> Iterator[dict[tuple[str, ...], Any]]:
    combinations: list[dict[tuple[str, ...], Any]] = [{(): (collection, row)}]
    for path in paths:
        grown: list[dict[tuple[str, ...], Any]] = []
        for combination in combinations:
            owner, parent = combination[path[:-1]]
            target = RELATIONS[owner, path[-1]][0]
            others: list[Any] = related(data, owner, parent, path[-1]) or [None]
            grown.extend({**combination, path: (target, other)} for other in others)
        combinations = grown
    yield from combinations


def holds(
    data: Data,
    filter: Any,
    combination: Mapping[tuple[str, ...], Any],
    collection: str,
    path: tuple[str, ...],
) -> bool:
    results = []
    for name, value in filter.items():
        if name == "_and":
            results.append(all(holds(data, member, combination, collection, path) for member in value))
        elif name == "_or":
            results.append(
                any(holds(data, member, combination, collection, path) for member in value) or not value
            )
        elif "_some" in value or "_none" in value:
            results.append(quantified(data, collection, combination[path][1], name, value))
        elif (collection, name) in RELATIONS and (*path, name) in combination:
            inner = {
                key: entry
                for key, entry in value.items()
                if not key.startswith("_") or key in ("_and", "_or")
            }
            own = {key: entry for key, entry in value.items() if key not in inner}
            target, other = combination[*path, name]
            key = None if other is None else other["id"]
            compared = key if (collection, name) in MANY else (combination[path][1] or {}).get(name)
            results.append(
                holds(data, inner, combination, target, (*path, name)) and condition(compared, own)
            )
        else:
            row = combination[path][1]
            results.append(condition(None if row is None else row[name], value))
    return all(results)


def says_nothing(filter: Any) -> bool:
    """Whether a filter holds whatever it is asked of."""
    return all(
        (name == "_and" and all(says_nothing(member) for member in value))
        or (name == "_or" and (not value or any(says_nothing(member) for member in value)))
        or (isinstance(value, dict) and ("_some" in value or "_none" in value) and says_nothing(inner(value)))
        or (isinstance(value, dict) and not name.startswith("_") and says_nothing(value))
        for name, value in filter.items()
    )


def inner(value: Any) -> Any:
    return next(iter(value.values()))


def quantified(data: Data, collection: str, row: Row | None, name: str, value: Any) -> bool:
    (kind, inner), target = next(iter(value.items())), RELATIONS[collection, name][0]
    if says_nothing(inner):
        # The contract: such a quantifier is overlooked.
        return True
    keys = set(found(data, target, inner))
    some = any(other["id"] in keys for other in related(data, collection, row, name))
    return some if kind == "_some" else not some


def condition(value: Any, given: Mapping[str, Any]) -> bool:
    return all(compare(value, operator, operand) for operator, operand in given.items())


def compare(value: Any, operator: str, operand: Any) -> bool:
    if operator in ("_null", "_nnull", "_empty", "_nempty"):
        missing = value is None or (value == "" and "empty" in operator)
        return missing is (operand == (operator in ("_null", "_empty")))
    if value is None:
        return False
    results: dict[str, Callable[[], Any]] = {
        "_eq": lambda: value == operand,
        "_neq": lambda: value != operand,
        "_lt": lambda: value < operand,
        "_gte": lambda: value >= operand,
        "_in": lambda: value in operand,
        "_nin": lambda: value not in operand,
        "_between": lambda: operand[0] <= value <= operand[1],
        "_nbetween": lambda: not operand[0] <= value <= operand[1],
        "_contains": lambda: operand in value,
        "_ncontains": lambda: operand not in value,
        "_icontains": lambda: operand.lower() in value.lower(),
    }
    return bool(results[operator]())


# -- the test ----------------------------------------------------------------------------------------------

DATA = random_rows(random.Random(20))


@pytest.fixture(scope="module")
def random_url(module_url: str) -> str:
    import asyncio

    asyncio.run(fill(module_url, world(), DATA))  # type: ignore[arg-type]
    return module_url


@pytest.fixture
async def reader(random_url: str) -> AsyncIterator[Reader]:
    async with await Database.open(random_url, maximum=2) as database:
        yield Reader(database, QueryLimits())


CASES = int(os.environ.get("ACTA_FILTER_CASES", "480"))
"""`ACTA_FILTER_CASES=20000 .ci/test tests/reading/test_against_python.py` is a long run."""


@pytest.mark.timeout(120 + CASES // 20)
@pytest.mark.parametrize("seed", range(8))
async def test_random_filters(reader: Reader, seed: int) -> None:
    chance, model = random.Random(seed), world().model()
    for _ in range(CASES // 8):
        collection = chance.choice(list(COLUMNS))
        filter = random_filter(chance, collection, 4)
        raw = {"filter": filter, "fields": ["id"], "sort": "id", "limit": -1, "meta": "filter_count"}
        answer = json.loads(await reader.list(model, ADMINISTRATOR, Caller(), collection, raw))
        expected = found(DATA, collection, filter)
        assert [row["id"] for row in answer["data"]] == expected, json.dumps(filter)
        assert answer["meta"]["filter_count"] == len(expected), json.dumps(filter)


def test_the_filters_reach_everything() -> None:
    """A generator that makes only trivial filters would prove nothing."""
    chance = random.Random(1)
    texts = [json.dumps(random_filter(chance, "parents", 4)) for _ in range(400)]
    for word in ("_some", "_none", "_or", "_and", "boss", "toys", "_null", "_nbetween", "_icontains"):
        assert sum(word in text for text in texts) > 10, word
    sizes = [len(found(DATA, "parents", json.loads(text))) for text in texts]
    assert len(set(itertools.chain(sizes))) > 8
