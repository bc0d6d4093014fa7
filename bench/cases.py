"""The cases: what is asked of both servers, of PostgreSQL alone, and which ratio is wanted.

A case is plain data; to add one, add an entry to `CASES` and, for the limit, a script in `sql/limit`.
`<name>` in a path or body is a variable drawn anew for each request; the script draws the same range with
`\\set`. Cases that write stand last, for every case before them compares the answers of both servers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, urlencode

from bench.client import ADMIN_TOKEN
from bench.policies import LIMITED_TOKEN


class Driver(StrEnum):
    """How the load of a case is made."""

    WRK = "wrk"
    BATCH = "batch"
    DOWNLOAD = "download"


@dataclass(frozen=True)
class Variable:
    """A whole number drawn for each request, written in `form` (printf)."""

    name: str
    low: int
    high: int
    form: str = "%d"

    def sample(self, part: int, parts: int) -> str:
        """The `part`-th of `parts` values spread over the range."""
        return self.form % (self.low + (self.high - self.low) * part // parts)


@dataclass(frozen=True)
class Case:
    """One request, how it is put, and the ratios wanted."""

    name: str
    title: str
    path: str
    method: str = "GET"
    body: str = ""
    variables: tuple[Variable, ...] = ()
    limit: str = ""
    limit_same_answer: bool = True
    goal_reference: float | None = None
    goal_limit: float | None = None
    driver: Driver = Driver.WRK
    unit: str = "req/s"
    scale: int = 1
    may_be_missing: bool = False
    only_on_demand: bool = False
    extra_tables: str = ""
    token: str = ADMIN_TOKEN

    @property
    def writes(self) -> bool:
        """Whether the request changes data, so that answers carry new keys."""
        return self.method != "GET" and not self.path.startswith("/graphql")


def _path(collection: str, query: Mapping[str, str | int]) -> str:
    return f"/items/{collection}?" + urlencode(query, safe="<>,", quote_via=quote)


def _new_article(number: int | str) -> dict[str, object]:
    return {
        "title": f"A new article {number}",
        "slug": f"new-article-{number}",
        "status": "draft",
        "summary": "A summary of average length, as an editor writes it.",
        "body": "A paragraph of the text of a new article. " * 4,
        "author": 7,
        "published_at": "2030-01-02T03:04:05Z",
        "views": 3,
        "rating": 4.5,
        "featured": True,
        "options": {"layout": "wide", "columns": 2},
    }


BATCH_ROWS = 2000
EXPORT_ROWS = 1_000_000

_ID = Variable("id", 1, 100_000)
_MOMENT = (Variable("year", 2019, 2023), Variable("month", 1, 12, "%02d"), Variable("day", 1, 28, "%02d"))
_PUBLISHED: dict[str, str | int] = {
    "limit": 50,
    "sort": "-published_at",
    "filter[status][_eq]": "published",
    "filter[published_at][_lt]": "<year>-<month>-<day>",
}
_FLAT = "id,title,slug,status,author,published_at,views"
_NESTED = (
    "id,title,status,published_at,author.id,author.name,comments.id,comments.body,comments.author.name,"
    "tags.tags_id.id,tags.tags_id.name"
)
_GRAPHQL_LIST = """query ($before: String) {
  articles(limit: 50, sort: ["-published_at"],
    filter: {status: {_eq: "published"}, published_at: {_lt: $before}}) {
    id title status published_at author { id name }
    comments { id body author { name } } tags { tags_id { id name } }
  }
}"""
_GRAPHQL_ITEM = """query ($id: ID!) {
  articles_by_id(id: $id) { id title slug status summary published_at views featured author { id } }
}"""

CASES: tuple[Case, ...] = (
    Case(
        "item",
        "item by id, all fields",
        "/items/articles/<id>",
        variables=(_ID,),
        limit="item",
        goal_reference=15,
    ),
    Case(
        "list",
        "list 50, flat, filter + sort",
        _path("articles", {"fields": _FLAT, **_PUBLISHED}),
        variables=_MOMENT,
        limit="list",
        goal_reference=10,
    ),
    Case(
        "nested",
        "list 50, nested 4 relations, REST",
        _path("articles", {"fields": _NESTED, **_PUBLISHED}),
        variables=_MOMENT,
        limit="nested",
        goal_reference=8,
        goal_limit=0.70,
    ),
    Case(
        "nested_limited",
        "the same with 10 policies of 20 rules",
        _path("articles", {"fields": _NESTED, **_PUBLISHED}),
        variables=_MOMENT,
        limit="nested",
        goal_reference=8,
        token=LIMITED_TOKEN,
    ),
    Case(
        "graphql_nested",
        "the same in GraphQL",
        "/graphql",
        "POST",
        json.dumps({"query": _GRAPHQL_LIST, "variables": {"before": "<year>-<month>-<day>"}}),
        _MOMENT,
        limit="nested",
        limit_same_answer=False,
        goal_reference=8,
        goal_limit=0.70,
        may_be_missing=True,
    ),
    Case(
        "graphql_item",
        "GraphQL by id",
        "/graphql",
        "POST",
        json.dumps({"query": _GRAPHQL_ITEM, "variables": {"id": "<id>"}}),
        (_ID,),
        limit="item",
        limit_same_answer=False,
        goal_reference=12,
        may_be_missing=True,
    ),
    Case(
        "list_all",
        "list 100, all fields",
        _path("articles", {"limit": 100, "page": "<page>"}),
        variables=(Variable("page", 1, 10),),
        limit="list_all",
        goal_reference=10,
        goal_limit=0.65,
    ),
    Case(
        "filter_count",
        "`filter_count`",
        _path(
            "articles", {"fields": "id", "limit": 1, "meta": "filter_count", "filter[views][_gte]": "<floor>"}
        ),
        variables=(Variable("floor", 1, 100_000),),
        limit="filter_count",
        goal_limit=0.90,
    ),
    Case(
        "export_csv",
        "CSV export of 1,000,000 rows",
        _path("readings", {"export": "csv", "limit": -1, "sort": "id"}),
        limit="export_csv",
        goal_reference=20,
        driver=Driver.DOWNLOAD,
        unit="rows/s",
        scale=EXPORT_ROWS,
        only_on_demand=True,
        extra_tables="readings",
    ),
    Case(
        "create",
        "create one",
        "/items/articles",
        "POST",
        json.dumps(_new_article("<number>")),
        (Variable("number", 1, 1_000_000),),
        limit="create",
        goal_reference=12,
        goal_limit=0.30,
    ),
    Case(
        "update",
        "update one",
        "/items/articles/<id>",
        "PATCH",
        json.dumps({"title": "A better title <number>", "summary": "Summary <number>, rewritten."}),
        (_ID, Variable("number", 1, 1_000_000)),
        limit="update",
        goal_reference=12,
        goal_limit=0.30,
    ),
    Case(
        "create_many",
        "create 2,000 in one request",
        "/items/articles",
        "POST",
        json.dumps([_new_article(number) for number in range(BATCH_ROWS)]),
        limit="create_many",
        goal_reference=30,
        goal_limit=0.50,
        driver=Driver.BATCH,
        unit="rows/s",
        scale=BATCH_ROWS,
    ),
)


def chosen(names: str) -> tuple[Case, ...]:
    """The cases named in a comma list; all that aren't on demand when it is empty."""
    if not names:
        return tuple(case for case in CASES if not case.only_on_demand)
    wanted = {name.strip() for name in names.split(",")}
    unknown = wanted - {case.name for case in CASES}
    if unknown:
        known = ", ".join(case.name for case in CASES)
        raise ValueError(f"unknown cases: {', '.join(sorted(unknown))}; known: {known}")
    return tuple(case for case in CASES if case.name in wanted)
