"""`acta followers`: what follows the log, how far it is, and means to hold it or set it back."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cli.console import fail, say

if TYPE_CHECKING:
    from domain.settings import Settings
    from projections.database import Connection
    from projections.log.cursors import Overview

Result = TypeVar("Result")

followers = typer.Typer(help="What follows the log: look, pause, rewind.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of the follower.")]


@followers.command("list")
def list_followers(
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Print every follower: name, state, position, events it is behind, events parked, its last error."""
    from projections.log import cursors

    for entry in _run(cursors.overview):
        typer.echo(json_line(entry) if json else text_line(entry))


@followers.command()
def parked(name: Name) -> None:
    """Print the events that a follower could not handle and went on without: position, item, error."""
    from projections.log import cursors

    for entry in _run(lambda connection: cursors.parked(connection, name)):
        item = "/".join(part for part in (entry.collection, entry.item) if part is not None)
        typer.echo(f"{entry.position}\t{item}\t{entry.error}")


@followers.command()
def pause(name: Name) -> None:
    """Hold a follower where it is, in every process, until it is resumed."""
    from projections.log import cursors

    _require(name, _run(lambda connection: cursors.pause(connection, name, paused=True)))


@followers.command()
def resume(name: Name) -> None:
    """Let a paused follower go on."""
    from projections.log import cursors

    _require(name, _run(lambda connection: cursors.pause(connection, name, paused=False)))


@followers.command()
def rewind(
    name: Name,
    to: Annotated[int, typer.Option(min=0, help="The position to go on after; 0 for the beginning.")],
    again: Annotated[
        bool, typer.Option("--again", help="Repeat what was sent elsewhere (messages, requests) too.")
    ] = False,
) -> None:
    """Set a follower back (or forth). What it sent elsewhere is not sent twice unless --again."""
    from projections.log import cursors, positions

    async def run(connection: "Connection") -> bool:
        if to > (last := await positions.last_position(connection)):
            fail(f"the log ends at position {last}")
        return await cursors.rewind(connection, name, to, again=again)

    _require(name, _run(run))


@followers.command()
def forget(name: Name) -> None:
    """Remove the position of a follower that is no longer used."""
    from projections.log import cursors

    _require(name, _run(lambda connection: cursors.forget(connection, name)))


def state(entry: "Overview") -> str:
    """One word for what a follower does."""
    if entry.paused:
        return "paused"
    if entry.failures:
        return "failing"
    return "running" if entry.running else "idle"


def text_line(entry: "Overview") -> str:
    """The columns of `list`, separated by tabs."""
    columns = [entry.name, state(entry), str(entry.position), f"{entry.lag} behind", f"{entry.parked} parked"]
    return "\t".join([*columns, *([entry.error] if entry.error else [])])


def json_line(entry: "Overview") -> str:
    """All there is to know."""
    import dataclasses

    import orjson

    return orjson.dumps(dataclasses.asdict(entry) | {"lag": entry.lag, "state": state(entry)}).decode()


def _require(name: str, found: bool) -> None:
    if not found:
        fail(f"there is no follower {name}")
    say("done")


def _run(action: "Callable[[Connection], Awaitable[Result]]") -> Result:
    import uvloop

    from cli.database import database
    from cli.settings import load_settings

    async def run(settings: "Settings") -> Result:
        from projections.database import Database
        from projections.log.prepare import prepare

        assert settings.database.url is not None
        url = settings.database.url.get_secret_value()
        async with await Database.open(url, application="acta followers") as opened:
            await prepare(opened)
            async with opened.connection() as connection:
                return await action(connection)

    with database(load_settings()) as (settings, _):
        return uvloop.run(run(settings))
