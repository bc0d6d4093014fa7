"""A receiver as a process of its own that fails at random: its arguments are port, file, secret, seed.

What it accepts it has written down before it says so: item and position, one line each.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

FAILING = 0.3
# Of the failures: no answer in time, and a connection that is cut.
HANGING, CUT = 0.03, 0.3


def application(file: Path, secret: str, seed: int) -> web.Application:
    """The receiver."""
    chance, standard = random.Random(seed), Webhook(secret)
    lines = file.open("a")

    def write(line: str) -> None:
        lines.write(line + "\n")
        lines.flush()

    async def handle(request: web.Request) -> web.Response:
        raw = await request.read()
        try:
            body = standard.verify(raw, dict(request.headers))
        except WebhookVerificationError as error:
            write(f"unverified {error}")
            return web.Response(status=400)
        if chance.random() < FAILING:
            kind = chance.random()
            if kind < HANGING:
                await asyncio.sleep(30)
            elif kind < HANGING + CUT and request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        key = body["key"] if "key" in body else body["keys"][0]
        write(f"{key} {request.headers['acta-position']}")
        return web.Response()

    app = web.Application(client_max_size=2**24)
    app.router.add_post("/", handle)
    return app


if __name__ == "__main__":
    port, file, secret, seed = sys.argv[1:]
    web.run_app(
        application(Path(file), secret, int(seed)), host="127.0.0.1", port=int(port), print=lambda *_: None
    )
