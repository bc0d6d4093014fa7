"""`acta serve`: the API and the followers."""

from typing import Annotated

import typer


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (HOST, 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (PORT, 8055).")] = None,
    workers: Annotated[int, typer.Option(min=1, help="API processes that share the port.")] = 1,
    followers: Annotated[bool, typer.Option(help="Also run the followers of the log.")] = True,
) -> None:
    """Prepare the database when needed, then run the API and the followers until a signal stops them."""
    import uvloop

    from cli.console import fail
    from cli.database import database
    from cli.serving.main import run
    from cli.settings import load_settings, with_secret

    options = {"HOST": host, "PORT": port}
    with database(with_secret(load_settings(options))) as (settings, embedded):
        code = uvloop.run(run(settings, embedded, workers=workers, followers=followers))
    if code:
        fail("stopped because a part of it could not start", code)
