"""The schema of a large model: made quickly, and only as far as somebody looks."""

from __future__ import annotations

import time

import pytest
from graphql import parse, validate

from api.graphql.schema import LazySchema, make_schema
from domain.access.rights import ADMINISTRATOR
from domain.model import Model
from tests.support.pace import Pace
from tests.support.worlds import World

COLLECTIONS = 200
KINDS = (
    "string", "text", "integer", "bigInteger", "float", "decimal", "boolean", "date", "timestamp", "time",
    "json", "uuid", "string", "string", "integer", "text", "timestamp",
)  # fmt: skip
PIECES = 50
TRIES = 3

pytestmark = pytest.mark.slow


def large_model() -> Model:
    """Collections of 20 fields each, two of them relations."""
    world = World()
    for number in range(COLLECTIONS):
        fields = {f"f{place}": kind for place, kind in enumerate(KINDS)}
        world.collection(f"c{number}", {"id": "integer", **fields, "next": "integer", "other": "integer"})
    for number in range(COLLECTIONS):
        world.m2o(f"c{number}", "next", f"c{(number + 1) % COLLECTIONS}", "previous")
        world.m2o(f"c{number}", "other", f"c{number * 7 % COLLECTIONS}")
    return world.model()


def test_a_schema_of_4000_fields() -> None:
    model, pace, times = large_model(), Pace(), []
    for _ in range(TRIES):
        pace.look()
        start = time.perf_counter()
        schema = make_schema(model, ADMINISTRATOR, "items")
        assert len(schema.type_map.values()) > 9 * COLLECTIONS
        times.append(time.perf_counter() - start)
    assert pace.pieces_in(times) < PIECES, (times, pace.pieces)


def test_a_small_document_makes_few_types() -> None:
    schema = make_schema(large_model(), ADMINISTRATOR, "items")
    before = made(schema)
    document = parse('{ c5(limit: 1, filter: {f1: {_eq: "a"}}) { f1 next { f2 } } }')
    assert validate(schema, document) == []
    # Two collections, a filter and its operators.
    assert made(schema) - before == 4


def made(schema: LazySchema) -> int:
    """How many types have fields by now."""
    types = schema.type_map._types  # type: ignore[attr-defined]
    return sum("fields" in vars(type_) for type_ in types.values())
