"""A server that tells nothing of its schema."""

from tests.graphql.test_requests import data, failed
from tests.support.http import Client

SETTINGS = {"GRAPHQL_INTROSPECTION": "false"}


async def test_introspection_can_be_turned_off(api: Client) -> None:
    assert (await failed(api, "{ __schema { types { name } } }"))[:2] == (400, "GRAPHQL_VALIDATION")
    assert (await failed(api, '{ __type(name: "posts") { name } }'))[:2] == (400, "GRAPHQL_VALIDATION")
    assert await data(api, "{ __typename }") == {"__typename": "Query"}
    assert (await api.get("/server/specs/graphql")).error["code"] == "ROUTE_NOT_FOUND"
