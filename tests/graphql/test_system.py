"""The system's scope: operations of the server, the model by GraphQL, the schema as a file."""

from typing import Any

from graphql import build_schema, get_introspection_query

from tests.graphql.test_requests import ask, data
from tests.support.http import Client, client
from tests.support.server import ADMIN_EMAIL, ADMIN_PASSWORD, Server

SYSTEM = "/graphql/system"


async def system(api: Client, query: str, **more: Any) -> Any:
    return await data(api, query, path=SYSTEM, **more)


async def test_the_model_can_be_asked_for_in_full(api: Client) -> None:
    """Every member that the schema has, of every collection, field and relation."""
    schema = await system(api, "{ server_specs_graphql(scope: system) }")
    types = build_schema(schema["server_specs_graphql"]).type_map
    parts = {}
    for name in ("collections", "fields", "relations"):
        parts[name] = " ".join(
            f"{part} {{ {' '.join(types[f'directus_{name}_{part}'].fields)} }}"  # type: ignore[attr-defined]
            for part in ("meta", "schema")
        )
    found = await system(
        api,
        f"""{{ collections {{ collection {parts["collections"]} }}
               fields {{ collection field type {parts["fields"]} }}
               relations {{ collection field related_collection {parts["relations"]} }} }}""",
    )
    assert "posts" in [entry["collection"] for entry in found["collections"]]
    assert len(found["fields"]) > 200
    assert ("posts", "author") in [(entry["collection"], entry["field"]) for entry in found["relations"]]


async def test_the_model_can_be_changed(api: Client) -> None:
    found = await system(
        api,
        """mutation ($field: write_directus_fields_input!) {
            create_collections_item(data: {collection: "made", meta: {note: "n"}, schema: {}}) {
                collection meta { note } }
            create_fields_item(collection: "made", data: $field) { field type meta { note } }
            update_fields_item(collection: "made", field: "word", data: {meta: {note: "b"}}) { meta { note } }
            delete_fields_item(collection: "made", field: "word") { collection field }
            delete_collections_item(collection: "made") { collection }
        }""",
        variables={"field": {"field": "word", "type": "string", "meta": {"note": "a"}, "schema": {}}},
    )
    assert found == {
        "create_collections_item": {"collection": "made", "meta": {"note": "n"}},
        "create_fields_item": {"field": "word", "type": "string", "meta": {"note": "a"}},
        "update_fields_item": {"meta": {"note": "b"}},
        "delete_fields_item": {"collection": "made", "field": "word"},
        "delete_collections_item": {"collection": "made"},
    }


async def test_signing_in_and_being_somebody(blog: Server, api: Client) -> None:
    async with client(blog, None) as anonymous:
        login = "mutation ($e: String!, $p: String!) { auth_login(email: $e, password: $p, mode: %s) { %s } }"
        variables = {"e": ADMIN_EMAIL, "p": ADMIN_PASSWORD}
        query = login % ("json", "access_token expires refresh_token")
        tokens = (await system(anonymous, query, variables=variables))["auth_login"]
        assert tokens["expires"] == "900000"
        session = await ask(anonymous, login % ("session", "expires"), SYSTEM, variables=variables)
        assert "directus_session_token" in session.headers["Set-Cookie"]
        wrong = await ask(anonymous, login % ("json", "expires"), SYSTEM, variables={**variables, "p": "x"})
        assert wrong.body["errors"][0]["extensions"]["code"] == "INVALID_CREDENTIALS"
        assert wrong.body["data"] == {"auth_login": None}
    async with client(blog, tokens["access_token"]) as user:
        found = await system(
            user,
            """{ users_me { email role { name } } roles_me { name } policies_me_globals { admin_access }
                 permissions_me server_info { project { project_name } queryLimit { default } } }""",
        )
        assert found["users_me"] == {"email": ADMIN_EMAIL, "role": {"name": "Administrator"}}
        assert found["roles_me"] == [{"name": "Administrator"}]
        assert found["policies_me_globals"] == {"admin_access": True}
        assert found["permissions_me"]["posts"]["read"]["access"] == "full"
        assert found["server_info"]["queryLimit"] == {"default": 100}
        changed = await system(user, 'mutation { update_users_me(data: {title: "T"}) { title email } }')
        assert changed == {"update_users_me": {"title": "T", "email": ADMIN_EMAIL}}
        refresh = "mutation ($t: String) { auth_refresh(refresh_token: $t) { refresh_token } }"
        again = await system(user, refresh, variables={"t": tokens["refresh_token"]})
        out = "mutation ($t: String) { auth_logout(refresh_token: $t) }"
        assert await system(user, out, variables={"t": again["auth_refresh"]["refresh_token"]}) == {
            "auth_logout": True
        }


async def test_operations_for_everybody(blog: Server) -> None:
    async with client(blog, None) as anonymous:
        found = await system(
            anonymous,
            'mutation { word: utils_random_string(length: 7) hash: utils_hash_generate(string: "a") }',
        )
        assert len(found["word"]) == 7
        answer = await ask(anonymous, "mutation { utils_cache_clear }", SYSTEM)
        assert answer.body["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        assert await system(anonymous, "{ server_ping }") == {"server_ping": "pong"}


async def test_the_schema_as_a_file_and_by_introspection(api: Client) -> None:
    for path, name in (("", "posts"), ("/items", "posts"), ("/system", "directus_users")):
        answer = await api.get(f"/server/specs/graphql{path}")
        assert answer.status == 200
        assert "attachment" in answer.headers["Content-Disposition"]
        schema = build_schema(answer.body.decode())
        assert name in schema.type_map
    assert (await api.get("/server/specs/graphql/nothing")).error["code"] == "ROUTE_NOT_FOUND"
    found = await data(api, get_introspection_query())
    names = {entry["name"] for entry in found["__schema"]["types"]}
    assert {"posts", "posts_filter", "create_posts_input", "version_posts", "posts_mutated"} <= names


async def test_who_has_the_same_rights_is_still_somebody_else(blog: Server, api: Client) -> None:
    """A user without a role has what the public has; what stands for the caller is his own."""
    public = (await api.get("/policies", filter={"name": {"_eq": "$t:public_label"}})).data[0]["id"]
    rule = {"policy": public, "collection": "notes", "action": "read", "fields": ["*"]}
    permission = (await api.post("/permissions", rule)).data["id"]
    user = (await api.post("/users", {"email": "own@example.com", "token": "own-token"})).data["id"]
    await api.post("/items/notes", {"code": "own", "body": user})
    query = '{ notes(filter: {body: {_eq: "$CURRENT_USER"}}) { code } }'
    for token, found in ((None, []), ("own-token", [{"code": "own"}]), (None, [])):
        async with client(blog, token) as somebody:
            assert await data(somebody, query) == {"notes": found}
    for path in (f"/permissions/{permission}", f"/users/{user}", "/items/notes/own"):
        assert (await api.delete(path)).status == 204


async def test_what_is_about_the_caller_is_kept_for_nobody_else(blog: Server, api: Client) -> None:
    """Also where texts are left open, so that callers of equal rights share a query."""
    policy = (await api.get("/policies", filter={"admin_access": {"_eq": True}})).data[0]["id"]
    found: list[Any] = []
    expected: list[Any] = []
    made: list[tuple[str, str]] = []
    for name in ("one", "two"):
        role = (await api.post("/roles", {"name": name, "policies": [{"policy": policy}]})).data["id"]
        body = {"email": f"{name}@example.com", "token": f"{name}-token", "role": role}
        made.append(((await api.post("/users", body)).data["id"], role))
        async with client(blog, f"{name}-token") as somebody:
            for field in ("users_me { id role { %s } }", "roles_me { id %s }"):
                users = "users(filter: {email: {_neq: $text}}) { email }"
                query = f"query ($text: String!) {{ {field % users} }}"
                found.append(await system(somebody, query, variables={"text": "nobody@example.com"}))
    for name, (user, role) in zip(("one", "two"), made, strict=True):
        seen = [{"email": f"{name}@example.com"}]
        expected.append({"users_me": {"id": user, "role": {"users": seen}}})
        expected.append({"roles_me": [{"id": role, "users": seen}]})
    assert found == expected
    for user, role in made:
        for path in (f"/users/{user}", f"/roles/{role}"):
            assert (await api.delete(path)).status == 204
