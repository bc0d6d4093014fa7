"""`acta schema`: snapshots of the model, their differences, their application; renaming, retyping, undoing.

Every command that changes something has `--dry-run`: it runs in a transaction that is rolled back, and prints
the DDL that it ran.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from domain.settings import Settings
    from projections.schema.service import SchemaService

schema = typer.Typer(help="Snapshots of the model; renaming, retyping and undoing.", no_args_is_help=True)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the DDL and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
Force = Annotated[bool, typer.Option("--force", help="Take snapshots of other versions and vendors, too.")]
Snapshot = Annotated[Path, typer.Argument(help="A snapshot: YAML, or JSON when the name ends in .json.")]
Place = Annotated[str, typer.Argument(help="COLLECTION or COLLECTION.FIELD.")]


@schema.command()
def snapshot(
    path: Annotated[str, typer.Argument(help="The file to write, - for standard output.")] = "-",
    form: Annotated[str, typer.Option("--format", help="yaml or json.")] = "yaml",
    yes: Yes = False,
) -> None:
    """Write a snapshot of the model."""
    from api.formats import FORMATS
    from cli.console import fail

    if form not in ("yaml", "json"):
        fail(f"{form} is no format of snapshots: yaml or json")
    if path != "-" and Path(path).exists() and not yes:
        typer.confirm(f"{path} exists. Replace it?", abort=True)

    async def run(service: SchemaService) -> str:
        return FORMATS[form].text(service.snapshot(_command()))

    text = _with_service(run)
    if path == "-":
        typer.echo(text.rstrip("\n"))
    else:
        Path(path).write_text(text, encoding="utf-8")


@schema.command()
def diff(path: Snapshot, force: Force = False) -> None:
    """Print what would have to change for the model to become that of a snapshot."""
    from api.formats import FORMATS

    document = _read(path)
    found = _with_service(lambda service: service.diff(_command(), document, force=force))
    if found is None:
        _say("nothing differs")
    else:
        typer.echo(FORMATS["json"].text(found))


@schema.command()
def apply(path: Snapshot, dry_run: DryRun = False, yes: Yes = False, force: Force = False) -> None:
    """Make the model that of a snapshot; what the snapshot does not hold is removed."""
    document = _read(path)

    async def run(service: SchemaService) -> list[str] | None:
        found = await service.diff(_command(), document, force=force)
        if found is None:
            return None
        if not dry_run and not yes:
            _ask(found["diff"])
        return await service.apply(_command(), found, dry=dry_run)

    statements = _with_service(run)
    if statements is None:
        _say("nothing differs")
    else:
        _report(statements, dry_run=dry_run)


@schema.command()
def rename(
    place: Place, name: Annotated[str, typer.Argument(help="The new name.")], dry_run: DryRun = False
) -> None:
    """Give a collection or field another name; data, relations, permissions and presets follow."""
    body = {**_place(place), "name": name}
    _report(_with_service(lambda service: service.rename(_command(), body, dry=dry_run)), dry_run=dry_run)


@schema.command()
def retype(
    place: Place,
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="string, integer, dateTime ...")],
    impossible: Annotated[
        bool, typer.Option("--empty-impossible", help="Null for values that the type can't hold.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Give a field another type, and tell what that does to its values."""
    body = {**_place(place), "type": kind, "impossible": "null" if impossible else None}
    found = _with_service(lambda service: service.retype(_command(), body, dry=dry_run))
    for example in found["examples"]:
        becomes = "can't be converted" if example["impossible"] else f"becomes {example['becomes']}"
        typer.echo(f"-- {example['item']}: {example['value']} {becomes}")
    _say(f"{found['values']} values, {found['changed']} changed, {found['impossible']} impossible")
    _report(found["statements"], dry_run=dry_run)


@schema.command()
def undo(
    event: Annotated[int, typer.Argument(help="Any event of the command: an id of the activity or the log.")],
    dry_run: DryRun = False,
) -> None:
    """Take a change of the model back, data included."""
    found = _with_service(lambda service: service.undo(_command(), event, dry=dry_run))
    for one in found["undone"]:
        _say(f"{one['topic']} of {one['collection']} {one['item'] or ''}".rstrip())
    _report(found["statements"], dry_run=dry_run)


def _with_service(run: Callable[[SchemaService], Awaitable[Any]]) -> Any:
    import asyncio

    from cli.database import database
    from cli.settings import load_settings

    with database(load_settings()) as (settings, _):
        return asyncio.run(_run(settings, run))


async def _run(settings: Settings, run: Callable[[SchemaService], Awaitable[Any]]) -> Any:
    from projections.database import Database
    from projections.prepare import prepare
    from projections.schema.service import SchemaService
    from projections.tables.store import ModelStore

    where = settings.database
    assert where.url is not None
    async with await Database.open(where.url.get_secret_value(), application="acta schema") as database:
        await prepare(database)
        store = await ModelStore.open(database, schemas=where.schemas, exclude=where.exclude_tables)
        return await run(SchemaService(database, store, schemas=where.schemas))


def _command() -> Any:
    from domain.access.command import Command

    return Command.internal()


def _read(path: Path) -> Any:
    from api.bodies import parse_json
    from api.rest.schema import parse_yaml
    from cli.console import fail

    try:
        content = path.read_bytes()
    except OSError as error:
        fail(f"{path} can't be read: {error.strerror}")
    return parse_json(content) if path.suffix == ".json" else parse_yaml(content)


def _place(text: str) -> dict[str, str]:
    collection, dot, field = text.partition(".")
    return {"collection": collection, "field": field} if dot else {"collection": collection}


def _ask(diff: dict[str, Any]) -> None:
    for part, entries in diff.items():
        for entry in entries:
            name = ".".join(entry[key] for key in ("collection", "field") if key in entry)
            kinds = {"N": "new", "D": "removed"}
            _say(f"{part}: {name} {kinds.get(entry['diff'][0]['kind'], 'changed')}")
    typer.confirm("Apply these changes?", abort=True)


def _report(statements: list[str], *, dry_run: bool) -> None:
    if dry_run:
        for statement in statements:
            typer.echo(f"{statement};")
        _say("nothing was changed")
    else:
        _say(f"done, with {len(statements)} statements of DDL")


def _say(text: str) -> None:
    from cli.console import say

    say(text)
