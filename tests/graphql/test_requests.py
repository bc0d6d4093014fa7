"""GraphQL over HTTP: reading, writing, and everything that can be wrong with a request."""

import hashlib
import json
from typing import Any

import psycopg
import pytest

from tests.support.http import Answer, Client, client
from tests.support.server import Server

ANN = "aaaaaaaa-0000-4000-8000-000000000001"


async def ask(api: Client, query: str, path: str = "/graphql", **more: Any) -> Answer:
    return await api.post(path, {"query": query, **more})


async def data(api: Client, query: str, **more: Any) -> Any:
    answer = await ask(api, query, **more)
    assert answer.status == 200, answer.body
    assert "errors" not in answer.body, answer.body
    return answer.body["data"]


async def failed(api: Client, query: str, **more: Any) -> tuple[int, str, Any]:
    answer = await ask(api, query, **more)
    return answer.status, answer.body["errors"][0]["extensions"]["code"], answer.body.get("data", "absent")


async def test_values_have_the_form_that_the_schema_promises(api: Client) -> None:
    found = await data(
        api,
        """{ posts_by_id(id: 1) {
            key: id title hits price published published_func { year second } extra extra_func { count }
            tags bytes author { id __typename } comments_func { count } } }""",
    )
    assert found["posts_by_id"] == {
        "key": "1",
        "title": "One",
        "hits": "9007199254740993",
        "price": 1.5,
        "published": "2024-02-03T04:05:06.000Z",
        "published_func": {"year": 2024, "second": 6},
        "extra": [1, 2],
        "extra_func": {"count": 2},
        "tags": ["x", "y"],
        "bytes": "abc",
        "author": {"id": ANN, "__typename": "authors"},
        "comments_func": {"count": 2},
    }


async def test_one_query_asks_for_many_things_at_once(api: Client) -> None:
    found = await data(
        api,
        """query ($state: String = "draft", $deep: Boolean = true, $none: Boolean = false) {
            __typename
            some: posts(filter: {state: {_eq: $state},
                                 _or: [{hits: {_gt: "5"}}, {author: {name: {_eq: "Bob"}}}]},
                        sort: ["-id"]) { ...fields }
            posts_by_id(id: 2) { ...fields title @skip(if: $deep) }
            posts_aggregated(groupBy: ["author"], sort: ["-count.id"]) { who: group n: countAll count { id }
                                                                        avg { p: price } }
            missing: posts_by_id(id: 1) @include(if: $none) { id }
        }
        fragment fields on posts {
            id
            author @include(if: $deep) { name posts(limit: 1, sort: ["-title"]) { title } }
            author { id }
            old: comments(filter: {body: {_contains: "s"}}, sort: ["-body"]) { body }
            comments(limit: 1) { post { title } }
        }""",
    )
    assert found["__typename"] == "Query"
    assert [post["id"] for post in found["some"]] == ["3", "2", "1"]
    assert found["some"][2] == {
        "id": "1",
        "author": {"name": "Ann", "posts": [{"title": "Two"}], "id": ANN},
        "old": [{"body": "second"}, {"body": "first"}],
        "comments": [{"post": {"title": "One"}}],
    }
    assert "title" not in found["posts_by_id"]
    assert found["posts_aggregated"][0] == {
        "who": {"author": ANN},
        "n": 2,
        "count": {"id": 2},
        "avg": {"p": 10.75},
    }
    assert "missing" not in found


async def test_an_error_stays_with_its_root_field(api: Client) -> None:
    answer = await ask(
        api,
        '{ a: posts_by_id(id: 1) { id } b: posts_by_id(id: "x") { id } c: notes_by_id(id: "a/b") { body } }',
    )
    assert answer.status == 200
    assert answer.body["data"] == {"a": {"id": "1"}, "b": None, "c": {"body": "slash"}}
    [error] = answer.body["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert error["path"] == ["b"]
    assert error["locations"] == [{"line": 1, "column": 32}]


async def test_an_operand_that_postgresql_refuses_fails_its_own_field_only(api: Client) -> None:
    query = '{ posts_by_id(id: 1) { id } posts_aggregated(filter: {published: {_gt: "never"}}) { countAll } }'
    status, code, found = await failed(api, query)
    assert (status, code, found) == (200, "INVALID_QUERY", "absent")
    inner = 'author { posts(filter: {published: {_gt: "never"}}) { id } }'
    query = f"{{ a: posts_by_id(id: 1) {{ id {inner} }} b: posts_by_id(id: 2) {{ id }} }}"
    answer = await ask(api, query)
    assert answer.body["data"] == {"a": None, "b": {"id": "2"}}


async def test_mutations_run_in_order_and_each_by_itself(api: Client) -> None:
    answer = await ask(
        api,
        """mutation ($new: create_posts_input!) {
            a: create_posts_item(data: $new) { id title author { name } comments { body } }
            b: create_notes_item(data: {code: "a/b", body: "again"}) { body }
            c: create_notes_items(data: [{code: "z"}, {code: "y", body: "2"}], sort: ["code"]) { code }
            d: update_notes_batch(data: [{code: "z", body: "3"}]) { code body }
            e: update_notes_items(ids: ["y", "z"], data: {body: "4"}, filter: {code: {_eq: "z"}}) {
                code body
            }
            f: delete_notes_items(ids: ["y", "z"]) { ids __typename }
            g: update_notes_item(id: "none", data: {body: "5"}) { code }
        }""",
        variables={
            "new": {
                "title": "N",
                "author": {"id": ANN, "name": "Ann"},
                "comments": [{"body": "c"}],
                "hits": "5",
            }
        },
    )
    found = answer.body.get("data", answer.body)
    assert "a" in found, answer.body
    created = found.pop("a")
    assert created | {"id": ""} == {
        "id": "",
        "title": "N",
        "author": {"name": "Ann"},
        "comments": [{"body": "c"}],
    }
    assert found == {
        "b": None,
        "c": [{"code": "y"}, {"code": "z"}],
        "d": [{"code": "z", "body": "3"}],
        "e": [{"code": "z", "body": "4"}],
        "f": {"ids": ["y", "z"], "__typename": "delete_many"},
        "g": None,
    }
    codes = [error["extensions"]["code"] for error in answer.body["errors"]]
    assert codes == ["RECORD_NOT_UNIQUE", "FORBIDDEN"]
    gone = await data(
        api, "mutation ($id: ID!) { delete_posts_item(id: $id) { id } }", variables={"id": created["id"]}
    )
    assert gone == {"delete_posts_item": {"id": created["id"]}}


async def test_a_variable_key_shares_one_prepared_query(api: Client) -> None:
    query = "query ($id: ID!) { posts_by_id(id: $id) { title } }"
    for key, title in ((1, "One"), ("2", "Two"), ("3", "Three")):
        assert await data(api, query, variables={"id": key}) == {"posts_by_id": {"title": title}}
    assert await failed(api, query, variables={"id": "nine"}) == (200, "FORBIDDEN", {"posts_by_id": None})
    assert await failed(api, query, variables={"id": 99}) == (200, "FORBIDDEN", {"posts_by_id": None})
    status, code, found = await failed(api, query, variables={"id": [1]})
    assert (status, code, found) == (200, "INTERNAL_SERVER_ERROR", "absent")
    assert (await failed(api, query))[2] == "absent"


OPEN = """query q($t: String, $d: String, $in: [String] = ["One"]) { posts(sort: "id", filter: {_or: [
    {title: {_eq: $t}}, {author: {name: {_eq: $t}}}, {comments: {body: {_eq: $t}}},
    {published: {_lt: $d}}, {title: {_in: $in}}, {title: {_contains: "T"}, state: {_neq: $t}}]}) {
    id comments(filter: {body: {_neq: $t}}) { id } } }"""


@pytest.mark.parametrize(
    "text",
    [
        *("One", "Bob", "second", "draft", "zz", "'", "\\", "%", '"', "ü", "acta-open-place-0.", " ", "1"),
        *("$CURRENT_USER", "$CURRENT_USER.email", "$NOW", "$1", "$nothing", "", "true", "null", "NULL", None),
        *("a\nb", "x" * 1001, "[1,2]", '{"a": 1}', "1,2"),
    ],
)
async def test_texts_that_filters_compare_with_share_a_query_and_mean_what_they_say(
    api: Client, text: str | None
) -> None:
    """As variables, whose places may be left open, and written into the document."""

    async def answer(query: str, variables: dict[str, Any]) -> Any:
        return (await ask(api, query, variables=variables, operationName="q")).body

    assert "errors" not in await answer(OPEN, {"t": "another", "d": "2024-01-01"})
    for date in ("2023-06-01", "$NOW", "never"):
        found = await answer(OPEN, {"t": text, "d": date})
        written = OPEN.replace("$t: String, $d: String, ", "").replace("$d", json.dumps(date))
        same = await answer(written.replace("$t", json.dumps(text, ensure_ascii=False)), {})
        assert found.get("data") == same.get("data"), (found, same)
        codes = [[error["extensions"] for error in one.get("errors", [])] for one in (found, same)]
        assert codes[0] == codes[1]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ posts { nope } }", "GRAPHQL_VALIDATION"),
        ("{ posts { id", "GRAPHQL_VALIDATION"),
        ("{ posts { author } }", "GRAPHQL_VALIDATION"),
        (
            "{ posts { ...a } } fragment a on posts { ...b } fragment b on posts { ...a }",
            "GRAPHQL_VALIDATION",
        ),
        ("{ " + "posts { id } " * 1500 + "}", "GRAPHQL_VALIDATION"),
        ("{ " + "posts { id } " * 300 + "}", "GRAPHQL_VALIDATION"),
        ("{ posts(filter: {hits: {_eq: 5}}) { id } }", "GRAPHQL_VALIDATION"),
        ("{ posts " + "{ author { posts " * 600 + "{ id }" + " } }" * 600 + " }", "GRAPHQL_VALIDATION"),
        (
            "{ __schema { types { " + "fields { type { " * 4 + "name" + " } }" * 4 + " } } }",
            "GRAPHQL_VALIDATION",
        ),
        ("", "INVALID_PAYLOAD"),
        ("\ud800", "INVALID_PAYLOAD"),
    ],
)
async def test_bad_documents_are_refused(api: Client, query: str, code: str) -> None:
    answer = await api.request("POST", "/graphql", content=json.dumps({"query": query}).encode())
    assert (answer.status, answer.body["errors"][0]["extensions"]["code"]) == (400, code)


@pytest.mark.parametrize(
    "query",
    [
        "{ posts " + "{ author { posts " * 6 + "{ id }" + " } }" * 6 + " }",
        "{ posts(limit: 100000) { comments(limit: 1000) { id } } }",
        "query ($x: String) { posts(filter: {title: {_eq: $x}}) { id } }",
        '{ posts(sort: ["nope("]) { id } }',
        "{ posts(limit: -5) { id } }",
        "{ posts { " + " ".join(f"a{i}: author {{ id b{i}: posts {{ id }} }}" for i in range(260)) + " } }",
    ],
)
async def test_queries_that_ask_too_much_are_refused(api: Client, query: str) -> None:
    assert (await failed(api, query))[:2] == (200, "INVALID_QUERY")


async def test_the_same_root_field_is_read_once(api: Client) -> None:
    many = " ".join(f'a{i}: posts(sort: "id") {{ id comments {{ id }} }}' for i in range(300))
    found = await data(
        api, f'{{ {many} other: posts(sort: "-id") {{ id }} one: posts_by_id(id: 1) {{ id }} }}'
    )
    assert len(found) == 302
    assert {json.dumps(found[f"a{i}"]) for i in range(300)} == {json.dumps(found["a0"])}
    assert [found["other"][0], found["one"]] == [{"id": "3"}, {"id": "1"}]
    # Each has the error that all of them share.
    failing = " ".join(
        f'{name}: posts_by_id(id: 1) {{ comments(filter: {{post: {{published: {{_gt: "x"}}}}}}) {{ id }} }}'
        for name in ("a", "b")
    )
    answer = await ask(api, f"{{ {failing} c: posts_by_id(id: 1) {{ id }} }}")
    assert answer.body["data"] == {"a": None, "b": None, "c": {"id": "1"}}
    assert [error["path"] for error in answer.body["errors"]] == [["a"], ["b"]]


async def test_many_values_are_looked_at_apart(api: Client) -> None:
    query = "query ($keys: [GraphQLStringOrFloat]) { posts(filter: {id: {_in: $keys}}) { id } }"
    found = await data(api, query, variables={"keys": list(range(2, 20_000))})
    assert found == {"posts": [{"id": "2"}, {"id": "3"}]}
    status, code, _ = await failed(api, query, variables={"keys": [[1]] * 20_000})
    assert (status, code) == (200, "INTERNAL_SERVER_ERROR")
    deep: Any = {"id": {"_eq": 1}}
    for _ in range(90):
        deep = {"_and": [deep]}
    query = "query ($f: posts_filter) { posts(filter: $f) { id } }"
    assert await data(api, query, variables={"f": deep}) == {"posts": [{"id": "1"}]}
    for _ in range(35):
        deep = {"_and": [deep]}
    assert (await failed(api, query, variables={"f": deep}))[0] == 200


async def test_fragments_can_not_multiply_without_end(api: Client) -> None:
    parts = []
    for i in range(3):
        twice = " ".join(f"{name}: author {{ posts {{ ...f{i + 1} }} }}" for name in "ab")
        parts.append(f"fragment f{i} on posts {{ {twice} }}")
    query = "{ posts { ...f0 } } " + " ".join(parts) + " fragment f3 on posts { id }"
    assert len((await data(api, query))["posts"]) == 3
    endless = [
        f"fragment g{i} on posts {{ a: author {{ posts {{ ...g{i + 1} ...g{i + 1} }} }} }}" for i in range(20)
    ]
    many = "{ posts { ...g0 } } " + " ".join(endless) + " fragment g20 on posts { id }"
    assert (await failed(api, many))[1] in ("INVALID_QUERY", "GRAPHQL_VALIDATION")


async def test_what_else_a_body_may_be(api: Client) -> None:
    for body in ([{"query": "{ posts { id } }"}], {}, {"query": 5}):
        answer = await api.post("/graphql", body)
        assert (answer.status, answer.error["code"]) == (400, "INVALID_PAYLOAD")
    answer = await api.post("/graphql", {"query": "{ posts { id } }", "variables": [1]})
    assert (answer.status, answer.error["code"]) == (400, "GRAPHQL_EXECUTION")
    form = {"Content-Type": "application/graphql"}
    answer = await api.request("POST", "/graphql", content=b"{ posts { id } }", headers=form)
    assert (answer.status, answer.error["code"]) == (400, "INVALID_PAYLOAD")
    assert (await api.request("PUT", "/graphql")).status == 405
    assert (await api.get("/graphql/anything", query="{ __typename }")).data == {"__typename": "Query"}
    answer = await ask(api, "query a { __typename } query b { __typename }")
    assert (answer.status, "data" in answer.body) == (200, False)


async def test_by_get_only_queries(api: Client) -> None:
    query = "query ($n: Int) { posts(limit: $n) { id } }"
    assert (await api.get("/graphql", query=query, variables={"n": 1})).data == {"posts": [{"id": "1"}]}
    answer = await api.get("/graphql", query='mutation { delete_notes_item(id: "a/b") { id } }')
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert (await api.get("/graphql", query=query, variables="{")).error["code"] == "INVALID_QUERY"


async def test_persisted_queries(api: Client) -> None:
    query = "{ notes { code } }"
    digest = hashlib.sha256(query.encode()).hexdigest()
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    answer = await api.post("/graphql", {"extensions": extensions})
    assert answer.body["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    other = await api.post("/graphql", {"query": "{ posts { id } }", "extensions": extensions})
    assert other.error["code"] == "INVALID_PAYLOAD"
    assert (await api.post("/graphql", {"query": query, "extensions": extensions})).data == {
        "notes": [{"code": "a/b"}]
    }
    assert (await api.get("/graphql", extensions=extensions)).data == {"notes": [{"code": "a/b"}]}


async def test_the_media_type_of_the_specification(api: Client) -> None:
    wanted = {"Accept": "application/graphql-response+json"}
    answer = await api.request("POST", "/graphql", {"query": "{ __typename }"}, headers=wanted)
    assert answer.headers["Content-Type"].startswith("application/graphql-response+json")


async def test_a_mutation_sent_again_is_answered_again(api: Client, server_url: str) -> None:
    query = """mutation {
        a: create_notes_item(data: {code: "i1", body: "x"}) { code }
        taken: create_notes_item(data: {code: "i1"}) { code }
        b: create_notes_items(data: [{code: "i2"}, {code: "i3"}]) { code }
        c: delete_notes_item(id: "i0") { id }
    }"""

    async def send(text: str = query, **more: str) -> Answer:
        return await api.request(
            "POST", "/graphql", {"query": text}, headers={"Idempotency-Key": "g", **more}
        )

    assert (await api.post("/items/notes", {"code": "i0"})).status == 200
    first, again = await send(), await send()
    assert [error["extensions"]["code"] for error in first.body["errors"]] == ["RECORD_NOT_UNIQUE"]
    assert first.body["data"]["a"] == {"code": "i1"}
    assert again.body == first.body
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await send('mutation { delete_notes_item(id: "i1") { id } }')).status == 422
    # An answer that was lost is made again: what was written is known, and not written twice.
    async with await psycopg.AsyncConnection.connect(server_url, autocommit=True) as connection:
        await connection.execute("UPDATE acta.idempotency SET status = NULL, body = NULL WHERE key = 'g'")
    again = await send()
    assert again.body["data"] == first.body["data"]
    assert len(again.body["errors"]) == 1
    assert (await api.delete("/items/notes", ["i1", "i2", "i3"])).status == 204
    refused = await send(**{"If-Match": "*"})
    assert (refused.status, refused.error["code"]) == (400, "INVALID_PAYLOAD")


async def test_tokens_are_not_kept_with_the_answer(api: Client, server_url: str) -> None:
    query = """mutation {
        made: create_folders_item(data: {name: "kept"}) { name }
        auth_login(email: "admin@example.com", password: "wrong") { access_token }
    }"""
    headers = {"Idempotency-Key": "tokens"}
    for _ in range(2):
        answer = await api.request("POST", "/graphql/system", {"query": query}, headers=headers)
        assert answer.body["data"] == {"made": {"name": "kept"}, "auth_login": None}
        assert "Idempotency-Replayed" not in answer.headers
    assert len((await api.get("/folders", fields="name")).data) == 1
    async with await psycopg.AsyncConnection.connect(server_url) as connection:
        found = await connection.execute("SELECT status, body FROM acta.idempotency WHERE key = 'tokens'")
        assert await found.fetchall() == [(None, None)]


async def test_who_may_nothing_has_a_schema_too(blog: Server) -> None:
    async with client(blog, None) as anonymous:
        assert await data(anonymous, "{ _empty }") == {"_empty": None}
        assert (await failed(anonymous, "{ posts { id } }"))[:2] == (400, "GRAPHQL_VALIDATION")


async def test_a_changed_model_changes_the_schema(api: Client) -> None:
    assert (await ask(api, "{ notes { added } }")).status == 400
    assert (
        await api.post("/fields/notes", {"field": "added", "type": "integer", "schema": {}, "meta": {}})
    ).status == 200
    assert await data(api, "{ notes { code added } }") == {"notes": [{"code": "a/b", "added": None}]}
