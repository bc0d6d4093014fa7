"""Headers of every answer, and requests that are answered from the client's own copy."""

from uuid import UUID

import pytest

from tests.api.conftest import raw
from tests.support.server import Server


@pytest.mark.parametrize("path", ["/items/notes", "/items/nothing", "/nowhere", "/server/ping", "/users"])
async def test_every_answer_has_them(server: Server, path: str) -> None:
    async with raw(server, path) as response:
        assert response.headers["X-Powered-By"] == "Directus"
        assert response.headers["Vary"] == "Origin, Cache-Control"
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.headers["ETag"].startswith('W/"')
        assert UUID(response.headers["X-Request-Id"]).version == 4


async def test_an_answer_that_is_known_already(server: Server) -> None:
    async with raw(server, "/items/notes") as response:
        tag = response.headers["ETag"]
    for known in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        async with raw(server, "/items/notes", headers={"If-None-Match": known}) as response:
            assert response.status == 304
            assert await response.read() == b""
            assert response.headers["ETag"] == tag
    async with raw(server, "/items/notes", headers={"If-None-Match": 'W/"other"'}) as response:
        assert response.status == 200
    asked = {"If-None-Match": tag, "Cache-Control": "no-cache"}
    async with raw(server, "/items/notes", headers=asked) as response:
        assert response.status == 200


async def test_only_reads_are_answered_so(server: Server) -> None:
    async with raw(server, "/items/notes", method="SEARCH") as response:
        tag = response.headers["ETag"]
    async with raw(server, "/items/notes", method="SEARCH", headers={"If-None-Match": tag}) as response:
        assert response.status == 200


async def test_success_without_content_has_no_body(server: Server) -> None:
    async with raw(server, "/items/notes/424242", method="DELETE") as response:
        assert response.status == 204
        assert await response.read() == b""
