"""`acta undo`: take back what a command, or a user in a span of time, did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import EXIT_SETTINGS, fail, say

if TYPE_CHECKING:
    from domain.settings import Settings
    from projections.time.undo import Asked, Undone


def undo(
    request: Annotated[str | None, typer.Option(help="The id of a request (X-Request-Id).")] = None,
    activity: Annotated[int | None, typer.Option(help="Any entry of the activity of the command.")] = None,
    user: Annotated[str | None, typer.Option(help="The id of a user, with --since and --until.")] = None,
    since: Annotated[str | None, typer.Option(metavar="WHEN", help="A time, or 10m, 2h, 7d ago.")] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="The same; now when not given.")] = None,
    skip: Annotated[
        bool, typer.Option("--skip", help="Leave and list what something stands against.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell, and change nothing.")] = False,
) -> None:
    """Undo all events of a command, or a user's work in a span of time, by a new command."""
    import asyncio

    from cli.database import database
    from cli.settings import load_settings
    from domain.errors import UndoConflict

    asked = _asked(request, activity, user, since, until)
    with database(load_settings()) as (settings, _):
        try:
            done = asyncio.run(_undo(settings, asked, skip=skip, dry=dry_run))
        except UndoConflict as error:
            _tell(error.extensions["conflicts"])
            fail("nothing was changed: see above what stands against it, or say --skip")
    _tell(done.conflicts)
    for item in done.items:
        fields = ", ".join(item["fields"] or ())
        typer.echo(f"{item['collection']}/{item['item']}: {item['action']} {fields}".rstrip())
    for one in (done.schema or {}).get("undone", ()):
        typer.echo(f"{one['topic']} of {one['collection']} {one['item']} is taken back")
    say("nothing was changed" if dry_run else f"undone; {len(done.conflicts)} items were left")


def _asked(
    request: str | None, activity: int | None, user: str | None, since: str | None, until: str | None
) -> Asked:
    from datetime import UTC, datetime
    from uuid import UUID

    from domain.log.moments import parse_when
    from projections.time.undo import Asked

    if sum(value is not None for value in (request, activity, user)) != 1:
        fail("say one of --request, --activity and --user", EXIT_SETTINGS)
    if activity is not None:
        return Asked(activity=activity)
    try:
        if request is not None:
            return Asked(request=UUID(request))
        begin = parse_when(since or "", "--since")
        end = datetime.now(UTC) if until is None else parse_when(until, "--until")
        if not isinstance(begin, datetime) or not isinstance(end, datetime):
            fail("--since and --until are times", EXIT_SETTINGS)
        return Asked(user=UUID(user), since=begin, until=end)
    except ValueError:
        fail("--request and --user are UUIDs", EXIT_SETTINGS)


async def _undo(settings: Settings, asked: Asked, *, skip: bool, dry: bool) -> Undone:
    from domain.access.command import Command
    from domain.query.limits import QueryLimits
    from projections.database import Database
    from projections.prepare import prepare
    from projections.reading.reader import Reader
    from projections.schema.service import SchemaService
    from projections.tables.store import ModelStore
    from projections.time.undo import Undo

    where = settings.database
    assert where.url is not None
    async with await Database.open(where.url.get_secret_value(), application="acta undo") as database:
        await prepare(database)
        store = await ModelStore.open(database, schemas=where.schemas, exclude=where.exclude_tables)
        reader = Reader(database, QueryLimits.of(settings.query, where.statement_timeout))
        schema = SchemaService(database, store, schemas=where.schemas)
        return await Undo(database, store, reader, schema).undo(Command.internal(), asked, skip=skip, dry=dry)


def _tell(conflicts: list[dict[str, object]]) -> None:
    for conflict in conflicts:
        fields = conflict["fields"]
        named = f" ({', '.join(map(str, fields))})" if isinstance(fields, list) else ""
        typer.echo(f"{conflict['collection']}/{conflict['item']}: left, {conflict['reason']}{named}")
