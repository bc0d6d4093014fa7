"""One statement per read, with the text it is meant to have, running the way it is meant to run."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncRawCursor

from domain.access.caller import Caller
from domain.access.rights import ADMINISTRATOR, Rights, Rule
from domain.query.limits import QueryLimits
from domain.query.parse import parse_query
from domain.query.plan import ReadPlan
from domain.query.planner import plan_item, plan_list
from domain.query.text import parse_text
from projections.database import Database
from projections.reading import channel
from projections.reading import shapes as shapes_module
from projections.reading.compiler import compile_plan
from projections.reading.reader import Reader
from projections.reading.shapes import Shapes
from projections.reading.statement import Statement
from tests.support.press import press, print_press

SNAPSHOTS = Path(__file__).parent / "snapshots"
LIMITS = QueryLimits()
RULES = (
    Rule(frozenset({"id", "title", "author", "comments"})),
    Rule(frozenset({"status"}), {"author": {"name": {"_eq": "me"}}}),
)
RESTRICTED = Rights(
    "some",
    rules={
        ("articles", "read"): RULES,
        ("authors", "read"): (Rule(None),),
        ("comments", "read"): (Rule(None, {"author": {"_nnull": True}}),),
    },
)
SHAPES: dict[str, tuple[str, Rights]] = {
    "item": ("articles/7?fields=*,author.name", ADMINISTRATOR),
    "flat": (
        "articles?fields=id,title,published&filter[status][_eq]=draft&sort=-published&limit=50",
        ADMINISTRATOR,
    ),
    "nested": (
        "articles?fields=title,author.name,comments.body,comments.author.name&sort=-published",
        ADMINISTRATOR,
    ),
    "each": (
        "articles?fields=title,comments.body&deep[comments][_limit]=3&deep[comments][_sort]=-id",
        ADMINISTRATOR,
    ),
    "deep": ("comments?fields=body,article.author.articles.title&limit=10", ADMINISTRATOR),
    "related": (
        'articles?fields=id&filter={"comments":{"author":{"name":"x"},"body":{"_contains":"y"}}}'
        "&sort=author.name&meta=*",
        ADMINISTRATOR,
    ),
    "quantified": (
        'articles?fields=id&filter={"_or":[{"comments":{"_none":{"body":"x"}}},'
        '{"comments":{"_some":{"id":{"_in":[1,2]}}}}]}',
        ADMINISTRATOR,
    ),
    "groups": (
        "articles?groupBy=year(published),author&aggregate[count]=*&aggregate[max]=title",
        ADMINISTRATOR,
    ),
    "search": ("articles?fields=id&search=42&limit=5&offset=10", ADMINISTRATOR),
    "cursor": ("articles?fields=id&limit=2&meta=cursor&sort=-published", ADMINISTRATOR),
    "rights": ("articles?fields=*,comments.body", RESTRICTED),
}


def planned(text: str, rights: Rights) -> ReadPlan:
    place, _, raw = text.partition("?")
    collection, _, key = place.partition("/")
    plan = plan_item if key else plan_list
    query = parse_query(parse_text(raw), LIMITS)
    return plan(press().model(), rights, Caller(), collection, query, LIMITS)


def compiled(text: str, rights: Rights) -> Statement:
    return compile_plan(planned(text, rights), 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_text(shape: str) -> None:
    """What PostgreSQL is sent; ACTA_UPDATE_SNAPSHOTS=1 rewrites the files: read them before keeping them."""
    statement = compiled(*SHAPES[shape])
    clause = r"(?<!LEFT)(?<!CROSS) (?=(FROM|WHERE|LEFT JOIN|JOIN|CROSS JOIN|GROUP BY|ORDER BY|LIMIT)\b)"
    text = re.sub(clause, "\n", statement.text.decode())
    text = re.sub(r'(?<=\)), (?=")', ",\n", text)
    text = f"-- {SHAPES[shape][0]}\n{text}\n"
    file = SNAPSHOTS / f"{shape}.sql"
    if os.environ.get("ACTA_UPDATE_SNAPSHOTS"):
        file.write_text(text)
    assert text == file.read_text()


def test_operands_are_no_part_of_the_text() -> None:
    first = compiled("articles?filter[title]=a&filter[id][_in]=1,2,3", ADMINISTRATOR)
    second = compiled("articles?filter[title]=b&filter[id][_in]=4", ADMINISTRATOR)
    assert first.text == second.text
    assert first.fixed == (b"a", b'{"1","2","3"}')


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_gives_the_same_statement(shape: str) -> None:
    shapes = Shapes()
    for _ in range(2):
        assert shapes.statement(planned(*SHAPES[shape]), 1) == compiled(*SHAPES[shape])


def test_a_shape_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[ReadPlan] = []

    def counted(plan: ReadPlan, version: int) -> Statement:
        written.append(plan)
        return compile_plan(plan, version)

    monkeypatch.setattr(shapes_module, "compile_plan", counted)
    shapes = Shapes()
    queries = [
        f"articles?filter[title]={title}&filter[id][_in]={ids}&deep[comments][_filter][body]={title}"
        f"&fields=id,comments.id&search={title}"
        for title, ids in (("a", "1,2"), ("b", "3"), ("a", "1"))
    ]
    for query in queries:
        assert shapes.statement(planned(query, RESTRICTED), 1) == compiled(query, RESTRICTED)
    assert len(written) == 1
    shapes.statement(planned(queries[0], RESTRICTED), 2)
    assert len(written) == 2


def test_many_large_shapes_do_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[ReadPlan] = []

    def counted(plan: ReadPlan, version: int) -> Statement:
        written.append(plan)
        return compile_plan(plan, version)

    monkeypatch.setattr(shapes_module, "compile_plan", counted)
    monkeypatch.setattr(shapes_module, "KEPT", 50_000)
    shapes = Shapes()
    queries = ["&".join(f"filter[_or][{n}][id]={n}" for n in range(count)) for count in range(50, 100)]
    for query in (*queries, queries[-1], queries[0]):
        shapes.statement(planned(f"articles?fields=id&{query}", ADMINISTRATOR), 1)
    # The last one was still there, the first one was not.
    assert len(written) == len(queries) + 1


@pytest.fixture(scope="module")
def press_url(module_url: str) -> str:
    async def make() -> None:
        async with await psycopg.AsyncConnection.connect(module_url, autocommit=True) as connection:
            await print_press(connection)

    asyncio.run(make())
    return module_url


@pytest.fixture
async def database(press_url: str) -> AsyncIterator[Database]:
    async with await Database.open(press_url, maximum=1) as opened:
        yield opened


@pytest.mark.parametrize("shape", SHAPES)
async def test_one_statement_per_read(
    database: Database, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    answer = channel._answer

    async def counted(*arguments: Any) -> Any:
        sent.append(1)
        return await answer(*arguments)

    async def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("a read goes through the channel alone")

    monkeypatch.setattr(channel, "_answer", counted)
    reader, model = Reader(database, LIMITS), press().model()
    text, rights = SHAPES[shape]
    place, _, raw = text.partition("?")
    collection, _, key = place.partition("/")
    async with database.connection() as connection:
        monkeypatch.setattr(psycopg.AsyncConnection, "execute", refused)
        for expected in (1, 3, 4):
            # The second time it is prepared as well, the third time only run.
            if key:
                await reader.item(model, rights, Caller(), collection, key, raw, connection=connection)
            else:
                await reader.list(model, rights, Caller(), collection, raw, connection=connection)
            assert len(sent) == expected


async def explained(database: Database, text: str, rights: Rights = ADMINISTRATOR) -> list[dict[str, Any]]:
    """All nodes of PostgreSQL's plan for a read."""
    statement = compiled(text, rights)
    bound = (b"7",) if statement.fixed is None else statement.fixed
    parameters = [None if value is None else value.decode() for value in bound]
    async with database.connection() as connection:
        cursor = AsyncRawCursor(connection)
        await cursor.execute(b"EXPLAIN (FORMAT JSON) " + statement.text, parameters)
        row = await cursor.fetchone()
    assert row is not None
    plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
    return list(nodes(plan[0]["Plan"]))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def scans(plan: list[dict[str, Any]]) -> dict[str, tuple[str, str | None]]:
    """How each table is read, and by which index."""
    return {
        node["Relation Name"]: (node["Node Type"], node.get("Index Name"))
        for node in plan
        if "Relation Name" in node
    }


async def test_an_item_is_found_by_its_key(database: Database) -> None:
    plan = await explained(database, "articles/7?fields=title,author.name")
    assert scans(plan) == {
        "articles": ("Index Scan", "articles_pkey"),
        "authors": ("Index Scan", "authors_pkey"),
    }


async def test_a_sorted_page_is_read_in_the_order_of_its_index(database: Database) -> None:
    plan = await explained(database, SHAPES["flat"][0])
    assert scans(plan) == {"articles": ("Index Scan", "articles_published_idx")}
    assert "Sort" not in {node["Node Type"] for node in plan}


async def test_relations_are_read_for_the_page_only(database: Database) -> None:
    plan = await explained(database, "articles?fields=title,comments.body&limit=20")
    read = scans(plan)
    assert read["articles"] == ("Index Scan", "articles_pkey")
    assert read["comments"] == ("Index Scan", "comments_article_id_idx")


async def test_a_limit_per_parent_stops_reading(database: Database) -> None:
    plan = await explained(database, SHAPES["each"][0].replace("?", "?limit=20&"))
    assert scans(plan)["comments"] == ("Index Scan", "comments_article_id_idx")
    limits = [node for node in plan if node["Node Type"] == "Limit" and node["Plan Rows"] <= 3]
    assert [child["Node Type"] for child in limits[0]["Plans"]] == ["Index Scan"]


async def test_a_filter_through_many_starts_where_few_rows_are(database: Database) -> None:
    plan = await explained(database, "articles?fields=id&filter[comments][id]=5")
    assert scans(plan)["comments"] == ("Index Scan", "comments_pkey")
    assert scans(plan)["articles"][1] == "articles_pkey"


async def test_the_next_page_begins_at_the_cursor(database: Database) -> None:
    reader, model = Reader(database, LIMITS), press().model()
    raw = "fields=id&sort=-published&limit=2&meta=cursor"
    answer = json.loads(await reader.list(model, ADMINISTRATOR, Caller(), "articles", raw))
    plan = await explained(
        database, f"articles?fields=id&sort=-published&limit=2&after={answer['meta']['cursor']}"
    )
    scan = next(node for node in plan if "Relation Name" in node)
    assert scan["Index Name"] == "articles_published_idx"
    assert "published" in scan["Index Cond"]


def test_without_an_index_all_parents_are_read_at_once() -> None:
    """Reading each parent's rows by themselves would scan the whole table for each of them."""
    model = press().model()
    comments = model.collections["comments"]
    column = comments.columns["article"]
    field = replace(comments.fields["article"], column=replace(column, leading=False))
    bare = replace(comments, fields={**comments.fields, "article": field})
    without = replace(model, collections={**model.collections, "comments": bare})
    query = parse_query(parse_text(SHAPES["each"][0].partition("?")[2]), LIMITS)
    for given, at_once in ((model, False), (without, True)):
        plan = plan_list(given, ADMINISTRATOR, Caller(), "articles", query, LIMITS)
        assert (b"PARTITION BY" in compile_plan(plan, 1).text) is at_once
