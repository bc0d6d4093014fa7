"""The forms in which Acta can write a limit per parent, measured against each other.

The planner chooses: `set` reads the children of all parents at once and numbers them, `each` stops reading a
parent's children at the limit. How many children there are it can't know, so a choice is judged by the mean
gain over parents of few and of many; and without an index, where `each` would read whole tables.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import geometric_mean
from typing import Any

from domain.access.caller import Caller
from domain.access.rights import ADMINISTRATOR
from domain.model import Field, Model, RelationMeta
from domain.query.limits import QueryLimits
from domain.query.parse import parse_query
from domain.query.plan import Level, ReadPlan, ToMany
from domain.query.planner import plan_list
from domain.query.text import parse_text
from projections.database import Database
from projections.reading.channel import fetch
from projections.reading.compiler import compile_plan
from projections.reading.statement import Statement
from projections.tables.introspect import load_model

_SECONDS = 30.0
_LIMITS = QueryLimits()
_FEW = "articles?fields=title,comments.body&sort=-published_at&limit=50"
_MANY = "authors?fields=name,articles.title&limit=20"
_INDEXED = (1, 3, 10, 20, 50, 100, 0)
_BARE = (3, 20)
_DROP = "DROP INDEX comments_article_idx"


@dataclass
class Measured:
    """Reads a second of both forms, and the one that the planner takes."""

    title: str
    chosen: str
    rates: dict[str, float]

    @property
    def gain(self) -> float:
        """How many times as fast the chosen form is as the other one."""
        other = "each" if self.chosen == "set" else "set"
        return self.rates[self.chosen] / self.rates[other]


def slower_choices(found: Sequence[Measured]) -> list[str]:
    """Where the other form is faster by more than 10 % in the mean."""
    gains: dict[str, list[float]] = {}
    for one in found:
        gains.setdefault(one.title.rpartition(", ")[2], []).append(one.gain)
    return [title for title, each in gains.items() if geometric_mean(each) < 0.9]


def measure(url: str, seconds: float) -> list[Measured]:
    """Measure both forms of all queries; they have to give the same answers."""
    return asyncio.run(_measure(url, seconds))


async def _measure(url: str, seconds: float) -> list[Measured]:
    found = []
    async with await Database.open(url, maximum=1) as database:
        for limit in _INDEXED:
            for children, query, alias in ((3, _FEW, "comments"), (100, _MANY, "articles")):
                title = f"{children} children a parent, {f'limit {limit}' if limit else 'no limit'}"
                found.append(await _compared(database, title, _limited(query, alias, limit), seconds))
        async with database.connection() as connection:
            await connection.execute(_DROP)
        for limit in _BARE:
            title = f"3 children a parent, limit {limit} without an index"
            query = _limited(_FEW, "comments", limit)
            found.append(await _compared(database, title, query, seconds))
    return found


def _limited(query: str, alias: str, limit: int) -> str:
    return f"{query}&deep[{alias}][_limit]={limit}&deep[{alias}][_sort]=-id" if limit else query


async def _compared(database: Database, title: str, text: str, seconds: float) -> Measured:
    async with database.connection() as connection:
        model = _with_lists(await load_model(connection, schemas=("public",)))
    collection, _, raw = text.partition("?")
    query = parse_query(parse_text(raw), _LIMITS)
    plan = plan_list(model, ADMINISTRATOR, Caller(), collection, query, _LIMITS)
    forms = {"set": _formed(plan, each=False), "each": _formed(plan, each=True)}
    chosen = "each" if forms["each"] == plan else "set"
    statements = {name: compile_plan(form, model.version) for name, form in forms.items()}
    return Measured(title, chosen, await _rates(database, statements, seconds))


async def _rates(database: Database, statements: dict[str, Statement], seconds: float) -> dict[str, float]:
    """Reads a second, by the quickest tenth of the runs: whatever else the machine does slows the others."""
    times: dict[str, list[float]] = {name: [] for name in statements}
    async with database.connection() as connection:
        answers = {name: await _ask(connection, statement) for name, statement in statements.items()}
        if answers["set"] != answers["each"]:
            raise RuntimeError("the forms give different answers")
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            # In turns, so that both meet the same machine.
            for name, statement in statements.items():
                began = time.perf_counter()
                await _ask(connection, statement)
                times[name].append(time.perf_counter() - began)
    return {name: 1 / sorted(each)[len(each) // 10] for name, each in times.items()}


async def _ask(connection: Any, statement: Statement) -> Sequence[bytes | None]:
    return await fetch(connection, statement, statement.parameters(Caller()), _SECONDS)


def _formed(plan: ReadPlan, *, each: bool) -> ReadPlan:
    """The plan with all its lists in one form; a list without a limit has only the set-based one."""
    level = plan.answer
    assert isinstance(level, Level)
    outputs = tuple(
        (name, replace(node, each=each) if isinstance(node, ToMany) else node) for name, node in level.outputs
    )
    return replace(plan, answer=replace(level, outputs=outputs))


def _with_lists(model: Model) -> Model:
    """The model with the lists that a project would give its relations: named like the many side."""
    collections, relations = dict(model.collections), []
    for relation in model.relations:
        one = collections.get(relation.related or "")
        if one is None:
            relations.append(relation)
            continue
        alias = relation.collection
        relations.append(
            replace(relation, meta=RelationMeta(None, alias, relation.field, relation.related, alias))
        )
        fields = {**one.fields, alias: Field(one.name, alias, "alias", None, ("o2m",), {})}
        collections[one.name] = replace(one, fields=fields)
    return Model(model.version, collections, tuple(relations))
