"""`acta log`: what happened, printed or followed."""

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import EXIT_SETTINGS, fail, say

if TYPE_CHECKING:
    from domain.log import Record
    from domain.settings import Settings
    from projections.database import Database
    from projections.log.listing import Choice

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


log = typer.Typer(help="The log: printed, followed, exported, replayed.", invoke_without_command=True)


@log.callback()
def printed(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for what happens next.")] = False,
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="A position, a time (2026-01-31T12:00Z), or 10m, 2h, 7d ago.")
    ] = "0",
    collection: Annotated[str | None, typer.Option(help="Only events of this collection.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line, values included.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Only changes of the model.")] = False,
) -> None:
    """Print the events of the log in their order, those after a position or moment."""
    if context.invoked_subcommand is not None:
        return
    import uvloop

    from cli.database import database
    from cli.settings import load_settings
    from projections.log.listing import SCHEMA_TOPICS, Choice

    begin = _parsed(since)
    choice = Choice(collection, SCHEMA_TOPICS if schema else None)
    with database(load_settings()) as (settings, _):
        uvloop.run(_print(settings, begin, choice, follow=follow, json=json))


@log.command()
def export(path: Annotated[Path, typer.Argument(help="The file to write, or to continue.")]) -> None:
    """Write the whole log to a file of JSON lines, from which `acta log replay` builds the project again."""
    import asyncio

    from cli.database import database
    from cli.settings import load_settings

    with database(load_settings()) as (settings, _):
        try:
            position = asyncio.run(_export(settings, path))
        except OSError as error:
            fail(f"{path}: {error.strerror}; the same command continues it")
    say(f"{path} holds the log up to position {position}")


async def _export(settings: "Settings", path: Path) -> int:
    from cli.targets import bar
    from projections.database import Database
    from projections.prepare import prepare
    from projections.time.export import export_log

    where = settings.database
    assert where.url is not None
    async with await Database.open(where.url.get_secret_value(), application="acta log") as database:
        await prepare(database)
        with bar("exporting") as progress:
            return await export_log(database, path, where.schemas, progress)


@log.command()
def replay(
    path: Annotated[Path, typer.Argument(help="An export.")],
    into: Annotated[str, typer.Option(metavar="URL", help="An empty (or new) database.")],
) -> None:
    """Build a project again from an export alone; started again, it goes on where it was."""
    import asyncio

    try:
        missing = asyncio.run(_replay(path, into))
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    for statement in missing:
        say(f"could not be made: {' '.join(statement.split())[:200]}")
    say("the project is built; run acta verify on it")


async def _replay(path: Path, into: str) -> list[str]:
    from cli.targets import bar, ensure_database
    from projections.database import Database
    from projections.time.replay import Replay

    await ensure_database(into)
    async with await Database.open(into, application="acta log") as target:
        with bar("replaying") as progress:
            return await Replay(path, target, progress).run()


def _parsed(since: str) -> int | datetime:
    from datetime import UTC, timedelta

    if since.isdigit():
        return int(since)
    ago = re.fullmatch(r"(\d+)([smhdw])", since)
    if ago:
        return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        fail(f"--since {since}: neither a position nor a time nor a duration such as 10m", EXIT_SETTINGS)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _print(
    settings: "Settings", begin: int | datetime, choice: "Choice", *, follow: bool, json: bool
) -> None:
    import asyncio

    from projections.database import Database
    from projections.log.archived import last_archived
    from projections.log.positions import position_at, require_log
    from workers.stopping import stop_on_signals
    from workers.wake import Wake

    assert settings.database.url is not None
    url = settings.database.url.get_secret_value()
    stop, wake = stop_on_signals(), Wake()
    async with await Database.open(url, application="acta log") as database:
        async with database.connection() as connection:
            await require_log(connection)
            if isinstance(begin, datetime):
                begin = await position_at(connection, begin)
            archived = await last_archived(connection)
        if archived is not None and begin < archived.position:
            say(f"up to position {archived.position} the log is archived; what stands for it is shown")
        if not follow:
            await _portions(database, begin, choice, json=json)
            return
        listening = asyncio.create_task(wake.listen(database, stop))
        while not stop.is_set():
            turn = wake.turn
            begin = await _portions(database, begin, choice, json=json)
            await wake.after(turn, 1.0, stop)
        await listening


async def _portions(database: "Database", after: int, choice: "Choice", *, json: bool) -> int:
    from projections.log.listing import listing

    line = json_line if json else text_line
    async for upto, records in listing(database, after, choice):
        for record in records:
            typer.echo(line(record))
        after = upto
    return after


def text_line(record: "Record") -> str:
    """Position, time, kind, what it happened to, and the names of the fields (values may be secret)."""
    payload = record.payload if isinstance(record.payload, dict) else {}
    definition = not record.topic.startswith("item.")
    fields = [] if definition else list(payload)
    parts = [
        f"{record.position:>8}",
        record.at.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00"),
        f"{record.topic:<18}",
        "/".join(part for part in (record.collection, record.item) if part is not None),
        ", ".join(fields),
    ]
    return "  ".join(part for part in parts if part).rstrip()


def json_line(record: "Record") -> str:
    """The whole event; the payload's text is PostgreSQL's own, numbers of any size intact."""
    import orjson

    value = {
        "position": record.position,
        "seq": record.seq,
        "at": record.at,
        "topic": record.topic,
        "collection": record.collection,
        "item": record.item,
        "actor": record.actor,
        "request": record.request,
        "payload": None if record.payload_text is None else orjson.Fragment(record.payload_text),
        "meta": record.meta,
    }
    return orjson.dumps(value).decode()
