"""Requests nobody would send in good faith, to every route there is: what the hostile run sends."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from tests.support.bodies import BODIES, UUID_TEXT
from tests.support.queries import INJECTIONS, VALUES, fitting_query, random_query

METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "SEARCH", "OPTIONS", "TRACE", "PROPFIND", "Get")
KEYS = ("1", "2", "99", UUID_TEXT, "1,EUR", "-1", "0", "x", "%2C", "a%2Fb")
"""Parts of paths as they stand in a URL."""
SCRATCH = ("scratch", "other_scratch")
"""Collections whose model is changed."""

PEOPLE = ("/users", "/roles", "/policies", "/access", "/permissions")
"""Where a change of all that there is would leave nobody to send requests."""

ODD: tuple[Any, ...] = (
    *VALUES,
    *INJECTIONS,
    10**18,
    -(2**63),
    2**64,
    1e308,
    -0.0,
    5e-324,
    "1e400",
    "9" * 5000,
    "-" + "0" * 400 + "1",
    "²",
    "٣",
    "\ufeff",
    "\u202e",
    "\r\n",
    "a" * 70_000,
    "x.y.z",
    "..",
    "../../etc/passwd",
    "__proto__",
    "constructor",
    "9999-99-99",
    "-4713-01-01",
    "infinity",
    "24:00:00",
    "2024-02-30T25:61:61Z",
    "294277-01-01T00:00:00Z",
    "{{ $trigger.body }}",
    "* * * * * *",
    "http://localhost:1/",
    "file:///etc/passwd",
    "data:,x",
    "some@example.com",
    "[[[[",
    '{"a":',
    [[[[[[]]]]]],
    [None],
    [{}],
    {"": ""},
    {"a": {"b": {"c": [1, {"d": None}]}}},
    {"create": [{}], "update": 5, "delete": "x"},
    {"create": 1},
    {"_and": {"0": {}}},
    {"length": 5},
)
TYPED: dict[str, tuple[Any, ...]] = {
    "integer": (1, 5, "7", -3),
    "bigInteger": (1, "9007199254740993"),
    "float": (0.5, 1e10),
    "decimal": ("1.5", 2),
    "boolean": (True, False),
    "uuid": (UUID_TEXT, "00000000-0000-4000-8000-00000000000f"),
    "date": ("2024-02-03",),
    "dateTime": ("2024-02-03T04:05:06",),
    "timestamp": ("2024-02-03T04:05:06Z",),
    "time": ("04:05:06",),
    "json": ({"a": [1]}, [1, 2], "[1]", None),
    "csv": (["a", "b"], "a,b"),
}
RAW: tuple[bytes, ...] = (
    b"",
    b"{",
    b"[" * 3000,
    b'{"a":' * 3000,
    b"[" * 900 + b"]" * 900,
    b'{"a":' * 900 + b"1" + b"}" * 900,
    b'{"id": 1, "id": 2}',
    b'{"title": "\\ud800"}',
    b'{"\\ud800": 1}',
    b'{"title": "a\\u0000b"}',
    b'{"title": "\xff\xfe"}',
    b'{"a": 1e999}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a": NaN}',
    b"\xef\xbb\xbf{}",
    b"\x00\x01\x02",
    b"null",
    b"[1, 2",
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nid,title\r\n1\r\n--x--\r\n',
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n',
)
TYPES = (
    "application/json",
    "application/json; charset=utf-16",
    "application/json;;",
    "text/plain",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "application/x-www-form-urlencoded",
    "application/offset+octet-stream",
    "application/octet-stream",
    "application/graphql",
    "/",
    "é",
)
HEADERS: dict[str, tuple[str, ...]] = {
    "If-Match": ("*", 'W/"x-v1"', '"', "W/", 'W/"a-v99999999999999999999"', 'W/"a-v²"', "é"),
    "If-None-Match": ("*", '"', "W/"),
    "If-Modified-Since": ("yesterday", "Thu, 01 Jan 9999 00:00:00 GMT", "0"),
    "Idempotency-Key": ("k", "k" * 300, " ", "é", "k2"),
    "Range": ("bytes=0-1", "bytes=5-1", "bytes=-", "bytes=²-", "bytes=" + "9" * 30 + "-", "lines=1"),
    "Content-Encoding": ("gzip", "br", "identity", "x"),
    "Accept": ("text/html", "*/*;q=x", "\t"),
    "Origin": ("null", "http://x", "::"),
    "Cookie": ("directus_session_token=x", "=;=;", "directus_session_token=" + "a" * 5000),
    "X-Forwarded-For": ("1.2.3.4", "::1, x", "'"),
    "Cache-Control": ("no-store", "no-cache"),
    "Expect": ("100-continue",),
    "Upload-Length": ("5", "²", "-1", "9" * 18),
    "Upload-Offset": ("0", "²", "9" * 30),
    "Upload-Metadata": ("filename_download YQ==", "a b c", "é", ",,"),
    "Tus-Resumable": ("1.0.0", "2"),
    "Content-Digest": ("sha-256=:x:", "x"),
    "User-Agent": ("é" * 300, ""),
    "X-HTTP-Method-Override": ("DELETE",),
}
QUERY = (
    "filter", "deep", "alias", "sort", "fields", "aggregate", "groupBy", "search", "limit", "offset", "page",
    "version", "versionRaw", "export", "meta", "backlink", "after", "as_of", "dry", "length", "sha256",
    "access_token", "collection", "user", "role", "action", "item", "ip", "from", "to", "status", "width",
    "height", "quality",
    "format", "transforms", "key", "fit", "focal_point_x", "download", "query", "variables", "operationName",
    "token", "redirect", "reason", "hash", "extensions",
)  # fmt: skip


@dataclass(frozen=True)
class Route:
    """One route of the application: method, and path with names in braces."""

    method: str
    path: str

    @property
    def collection(self) -> str:
        """The system collection whose items the path is about, if it is about any."""
        return f"directus_{self.path.split('/')[1]}"


@dataclass(frozen=True)
class Hostile:
    """One request, as it is sent."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path[:600]!r} {self.headers} {(self.content or b'')[:800]!r}"


class Attacker:
    """Makes requests out of routes and of the types of fields; the same ones for the same seed."""

    def __init__(
        self, chance: random.Random, routes: Sequence[Route], fields: Mapping[str, Mapping[str, str]]
    ) -> None:
        self.chance = chance
        self._routes = routes
        self._fields = fields
        self._often = [route for route in routes if route.path.startswith(("/items", "/files", "/graphql"))]
        self._keys: dict[str, deque[str]] = {}
        self._books = [name for name in fields if not name.startswith("directus_") and name not in SCRATCH]

    def request(self) -> tuple[Route, Hostile]:
        """The next request."""
        chance = self.chance
        route = chance.choice(self._often if chance.random() < 0.3 else self._routes)
        method = chance.choice(METHODS) if route.method == "*" or chance.random() < 0.05 else route.method
        collection = self._collection(route)
        path = self._path(route, method, collection)
        if chance.random() < (0.6 if route.path.startswith("/items") else 0.3):
            path += "?" + self._query()
        headers = {
            name: chance.choice(HEADERS[name])
            for name in chance.sample(list(HEADERS), chance.choice((0, 0, 0, 0, 1, 2)))
        }
        content = None
        if method not in ("GET", "HEAD", "OPTIONS") or chance.random() < 0.02:
            if chance.random() < 0.1:
                content = chance.choice(RAW)
            else:
                content = dumped(self._body(route, method, collection))
            usual = "application/json" if chance.random() < 0.9 else chance.choice(TYPES)
            headers["Content-Type"] = usual
        return route, Hostile(method, path, headers, content)

    def learn(self, request: Hostile, answer: Any) -> None:
        """Remember the keys of items in an answer, for requests to come."""
        data = answer.get("data") if isinstance(answer, dict) else None
        place = _place(request.path)
        for item in data if isinstance(data, list) else [data]:
            if isinstance(item, dict) and isinstance(item.get("id"), (str, int)):
                self._keys.setdefault(place, deque(maxlen=20)).append(quote(str(item["id"])))

    def _collection(self, route: Route) -> str:
        models = route.path.startswith(("/collections", "/fields", "/relations", "/schema"))
        if models and self.chance.random() < 0.8:
            return self.chance.choice(SCRATCH)
        if models and route.method != "GET":
            return self.chance.choice(["directus_presets", "nothing", "directus_nothing"])
        return self.chance.choice([*self._books, *SCRATCH])

    def _path(self, route: Route, method: str, collection: str) -> str:
        parts = []
        for part in route.path.split("/"):
            if part == "{collection}":
                parts.append(collection if self.chance.random() < 0.9 else self._text())
            elif part == "{field}":
                names = [*self._fields.get(collection, ()), "title", "id", "extra"]
                parts.append(quote(self.chance.choice(names)))
            elif part.startswith("{"):
                place = _place("/".join(parts))
                known = self._keys.get(place) if method in ("GET", "SEARCH") or place not in PEOPLE else None
                if known and self.chance.random() < 0.7:
                    parts.append(self.chance.choice(known))
                else:
                    parts.append(self.chance.choice(KEYS) if self.chance.random() < 0.8 else self._text())
            else:
                parts.append(part)
        return "/".join(parts)

    def _text(self) -> str:
        if self.chance.random() < 0.1:
            return self.chance.choice(("%00", "%ff", "%ed%a0%80", "%", "%zz", "%2e%2e", "a;b", "+"))
        return quote(text_of(self.chance.choice(ODD))[:2000], safe="") or "%20"

    def _query(self) -> str:
        chance = self.chance
        pairs: list[tuple[str, str]] = []
        if chance.random() < 0.4:
            made = random_query(chance) if chance.random() < 0.5 else fitting_query(chance, "books")
            pairs += [(name, text_of(value)) for name, value in made.items()]
        for _ in range(chance.choice((0, 1, 1, 2))):
            name = chance.choice(QUERY)
            if chance.random() < 0.4:
                names = chance.choices((*OPERANDS, "", "0", "9" * 400, "²", "501"), k=chance.randint(1, 12))
                name += "".join(f"[{step}]" for step in names)
            pairs += [(name, text_of(chance.choice(ODD))[:20_000])] * chance.choice((1, 1, 1, 2))
        text = urlencode(pairs)
        if chance.random() < 0.1:
            place = chance.randrange(len(text) + 1)
            text = (
                text[:place] + chance.choice(("%", "%ff", "%ed%a0%80", "&&", "[", "]=", "%00")) + text[place:]
            )
        return text[:60_000]

    def _body(self, route: Route, method: str, collection: str) -> Any:
        chance = self.chance
        path = route.path
        if path in BODIES and chance.random() < 0.9:
            body = BODIES[path]
        elif path.startswith("/items"):
            body = self._item(collection, 2)
        elif route.collection in self._fields:
            body = self._item(route.collection, 1)
        else:
            body = BODIES[chance.choice(list(BODIES))]
        if ("{key" not in path and "/items" in path) or path.count("/") == 1:
            kind = chance.random()
            if method == "SEARCH":
                body = {"query": random_query(chance), **({"keys": [1, 2]} if kind < 0.3 else {})}
            elif method in ("PATCH", "DELETE") and kind < 0.7:
                chosen: dict[str, Any] = {"keys": chance.choices(KEYS, k=2)}
                if chance.random() < 0.5 and path not in PEOPLE:
                    chosen = {"query": random_query(chance)}
                body = chosen if method == "DELETE" else {**chosen, "data": body}
            elif kind < 0.2:
                body = [body] * chance.choice((0, 1, 2, 50))
        for _ in range(chance.choice((0, 0, 0, 1, 1, 3))):
            body = self._damaged(body)
        return body

    def _item(self, collection: str, depth: int) -> dict[str, Any]:
        fields = self._fields.get(collection, {})
        names = self.chance.sample(list(fields), min(len(fields), self.chance.randint(1, 6)))
        return {name: self._value(fields[name], depth) for name in names}

    def _value(self, kind: str, depth: int) -> Any:
        chance = self.chance
        if kind == "alias":
            items = [self._item(chance.choice(self._books), depth - 1) for _ in range(2)] if depth else [1]
            return chance.choice((items, [1, 2], {"create": items, "update": items, "delete": [1]}, [], None))
        return chance.choice(TYPED.get(kind, ("x", "some text")))

    def _damaged(self, value: Any) -> Any:
        """A copy with something else in one place."""
        chance = self.chance
        if isinstance(value, dict) and value and chance.random() < 0.85:
            name = chance.choice(list(value))
            kind = chance.random()
            if kind < 0.1:
                return {other: entry for other, entry in value.items() if other != name}
            if kind < 0.2:
                return {**value, text_of(chance.choice(ODD))[:5000]: chance.choice(ODD)}
            return {**value, name: self._damaged(value[name])}
        if isinstance(value, list) and value and chance.random() < 0.85:
            place = chance.randrange(len(value))
            return [*value[:place], self._damaged(value[place]), *value[place + 1 :]]
        return chance.choice((chance.choice(ODD), [value], {"id": value}, value))


OPERANDS = (
    "title",
    "author",
    "id",
    "_eq",
    "_in",
    "_and",
    "_or",
    "_some",
    "reviews",
    "_filter",
    "_limit",
    "count",
)


def _place(path: str) -> str:
    """Where items live: `/items/books`, `/files`; of `/assets` they are those of files."""
    parts = path.partition("?")[0].split("/")
    return "/files" if parts[1] == "assets" else "/".join(parts[: 3 if parts[1] == "items" else 2])


def text_of(value: Any) -> str:
    """A value as it stands in a URL."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def dumped(value: Any) -> bytes:
    """JSON of whatever; integers of any size as the digits they are."""
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")
