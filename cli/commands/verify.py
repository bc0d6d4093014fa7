"""`acta verify`: prove that nobody changed the log."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import EXIT_SETTINGS, fail, say

if TYPE_CHECKING:
    from domain.settings import Settings
    from projections.log.verify import Anchor, Outcome

ROOT_BYTES = 32


def verify(
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="POSITION:ROOT", help="What an earlier run printed; finds a log rewritten as a whole."
        ),
    ] = None,
) -> None:
    """Check the hash chain over all events; name the first position that was tampered with."""
    import uvloop

    from cli.database import database
    from cli.settings import load_settings

    anchor = None if expect is None else _anchor(expect)
    with database(load_settings()) as (settings, _):
        outcome = uvloop.run(_verify(settings, anchor))
    if outcome.finding is not None:
        fail(f"position {outcome.finding.position}: {outcome.finding.reason}")
    typer.echo(f"{outcome.position}:{outcome.root.hex()}")
    say(f"the log is sound: {outcome.position} events; keep the line above elsewhere, for --expect")


def _anchor(text: str) -> "Anchor":
    from projections.log.verify import Anchor

    position, _, root = text.partition(":")
    try:
        anchor = Anchor(int(position), bytes.fromhex(root))
    except ValueError:
        anchor = None
    if anchor is None or len(anchor.root) != ROOT_BYTES:
        fail(f"--expect {text}: not of the form POSITION:ROOT", EXIT_SETTINGS)
    return anchor


async def _verify(settings: "Settings", anchor: "Anchor | None") -> "Outcome":
    from rich.console import Console
    from rich.progress import Progress

    from cli.commands.archive import archiver_on
    from projections.database import Database
    from projections.log.verify import verify

    assert settings.database.url is not None
    url = settings.database.url.get_secret_value()
    async with await Database.open(url, application="acta verify") as database:
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("verifying")
            return await verify(
                database,
                anchor=anchor,
                source=archiver_on(settings, database).rows,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
