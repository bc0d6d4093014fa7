"""`acta seal`: signed checkpoints of the log for auditors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import fail, say

if TYPE_CHECKING:
    from domain.settings import Settings
    from projections.log.verify import Anchor, Outcome

seal = typer.Typer(help="Signed checkpoints of the log, to be kept outside.", no_args_is_help=True)


@seal.command()
def key(path: Annotated[Path, typer.Argument(help="The file to write the private key to.")]) -> None:
    """Make an Ed25519 key; prints the public key, for the auditor."""
    from projections.time.checkpoints import new_key, public_key

    private = new_key()
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(private)
    except OSError as error:
        fail(f"{path} can't be written: {error.strerror}")
    typer.echo(public_key(private))


@seal.command()
def export(key: Annotated[Path, typer.Option(help="The file of the private key.")]) -> None:
    """Verify the whole log and print a signed checkpoint of its end."""
    import orjson

    from projections.time.checkpoints import checkpoint, public_key

    private = _content(key)
    public_key(private)
    outcome = _verified(None)
    if outcome.finding is not None:
        fail(f"position {outcome.finding.position}: {outcome.finding.reason}")
    typer.echo(orjson.dumps(checkpoint(outcome.position, outcome.root, private)).decode())


@seal.command()
def check(
    path: Annotated[Path, typer.Argument(help="A checkpoint.")],
    public: Annotated[
        str | None, typer.Option("--key", help="The public key it has to be signed by.")
    ] = None,
) -> None:
    """Prove that the log goes on from a checkpoint and that nothing before it was changed."""
    import orjson

    from projections.time.checkpoints import anchor_of

    try:
        document = orjson.loads(_content(path))
    except orjson.JSONDecodeError:
        fail(f"{path} holds no JSON")
    anchor = anchor_of(document, public)
    outcome = _verified(anchor)
    if outcome.finding is not None:
        fail(f"position {outcome.finding.position}: {outcome.finding.reason}")
    say(
        f"the log goes on from position {anchor.position} of the checkpoint; it has {outcome.position} events"
    )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fail(f"{path} can't be read: {error.strerror}")


def _verified(anchor: Anchor | None) -> Outcome:
    import uvloop

    from cli.database import database
    from cli.settings import load_settings

    with database(load_settings()) as (settings, _):
        return uvloop.run(_verify(settings, anchor))


async def _verify(settings: Settings, anchor: Anchor | None) -> Outcome:
    from cli.commands.archive import archiver_on
    from projections.database import Database
    from projections.log.verify import verify

    assert settings.database.url is not None
    url = settings.database.url.get_secret_value()
    async with await Database.open(url, application="acta seal") as database:
        return await verify(database, anchor=anchor, source=archiver_on(settings, database).rows)
