"""What can be met from outside is described: every error code, every route."""

import re
from pathlib import Path

from api.app import create_app
from domain.errors import ActaError
from domain.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def codes(base: type[ActaError] = ActaError) -> dict[str, int]:
    # Those of the realtime protocol are no answers of HTTP.
    found = {base.code: base.status} if base.__module__.startswith("domain.") else {}
    for entry in base.__subclasses__():
        found |= codes(entry)
    return found


def test_every_error_is_described_with_its_status() -> None:
    text = (DOCS / "errors.md").read_text()
    described = {
        code: int(status) for code, status in re.findall(r"^\| `(\w+)` \| (\d+) \|", text, re.MULTILINE)
    }
    assert described == codes()


def test_every_route_is_described() -> None:
    described = set(re.findall(r"/[a-z][a-z/_{}-]*", (DOCS / "api.md").read_text()))
    missing = [
        path
        for route in create_app(Settings()).router.resources()
        if (path := route.canonical) not in described and path.removesuffix("/{key}") not in described
    ]
    assert missing == []
