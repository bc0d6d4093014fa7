"""`acta serve`: the API and the followers."""

from typing import Annotated

import typer


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (HOST, 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (PORT, 8055).")] = None,
    workers: Annotated[int, typer.Option(min=1, help="API processes that share the port.")] = 1,
    followers: Annotated[bool, typer.Option(help="Also run the followers of the log.")] = True,
    demo: Annotated[bool, typer.Option("--demo", help="Make a small content to try things out.")] = False,
) -> None:
    """Prepare the database when needed, then run the API and the followers until a signal stops them."""
    import uvloop

    from cli.database import database
    from cli.settings import load_settings, with_admin_token, with_secret

    chosen = with_secret(load_settings({"HOST": host, "PORT": port}))
    # The embedded database keeps its administrator's token at hand, for it has no other way in.
    if demo or chosen.database.url is None:
        chosen = with_admin_token(chosen)

    from cli.serving.main import Plan, run

    with database(chosen) as (settings, embedded):
        code = uvloop.run(run(settings, embedded, Plan(workers, followers, demo)))
    raise typer.Exit(code)
