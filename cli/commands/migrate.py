"""`acta migrate-from-directus`: an existing Directus 11 database becomes ours, in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from domain.settings import Settings
    from projections.takeover.takeover import Report


def migrate_from_directus(
    source: Annotated[
        str, typer.Option(metavar="URL", help="The database of Directus; it is taken over in place.")
    ],
    schema: Annotated[str, typer.Option(help="The schema of the Directus tables.")] = "public",
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress bar.")] = False,
) -> None:
    """Take over a Directus 11 database: users, rights, model, files, flows, settings and history.

    Stop Directus before. Its tables stay untouched; foreign keys to them point to Acta's tables afterwards.
    """
    import asyncio

    from cli.commands.adopt import adopt_all
    from cli.database import database
    from cli.settings import load_settings

    with database(load_settings({"DATABASE_URL": source})) as (settings, _):
        asyncio.run(_take_over(settings, schema))
        asyncio.run(adopt_all(settings, quiet=quiet))


async def _take_over(settings: Settings, schema: str) -> None:
    from cli.console import say
    from cli.settings import with_secret
    from domain.access.sealed import Seal
    from projections.database import Database
    from projections.takeover.takeover import take_over

    assert settings.database.url is not None
    url = settings.database.url.get_secret_value()
    secret = with_secret(settings).auth.secret
    assert secret is not None
    async with await Database.open(url, application="acta migrate") as database:
        report = await take_over(database, Seal(secret.get_secret_value()), schema=schema)
    if report is None:
        say("the database was taken over before")
    else:
        for line in lines(report):
            say(line)


def lines(report: Report) -> list[str]:
    """What a person wants to know of a takeover, a sentence each."""
    taken = [f"{rows:,} {name.removeprefix('directus_')}" for name, rows in report.rows.items() if rows]
    found = [f"taken over: {', '.join(taken)}; {report.history:,} entries of history"]
    if report.foreign_keys:
        found.append(f"now pointing to Acta's tables: {', '.join(report.foreign_keys)}")
    found += [f"not taken over: {lost}" for lost in report.lost]
    return found
