"""A small blocking HTTP client: enough to register the model, compare answers and send batches."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass

ADMIN_TOKEN = "bench-admin-token"  # noqa: S105 - of throw-away databases
_TIMEOUT = 600


@dataclass(frozen=True)
class Answer:
    """Status and raw body."""

    status: int
    body: bytes

    @property
    def json(self) -> object:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def ok(self) -> bool:
        """Whether the server did what was asked."""
        return 200 <= self.status < 300


def call(
    url: str,
    method: str = "GET",
    body: str | bytes | None = None,
    kind: str = "application/json",
    token: str = ADMIN_TOKEN,
) -> Answer:
    """Put one request, as the administrator unless told otherwise."""
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, method=method, data=data)
    request.add_header("Authorization", f"Bearer {token}")
    if data is not None:
        request.add_header("Content-Type", kind)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            return Answer(response.status, response.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read())
