"""The `acta` command: one subcommand per module of `cli.commands`.

Those modules import what they run inside their functions, so that `acta --help` stays quick.
"""

import sys

import typer

from cli.commands.adopt import adopt
from cli.commands.archive import archive, archives, recall
from cli.commands.diff import diff
from cli.commands.followers import followers
from cli.commands.kafka import kafka
from cli.commands.log import log
from cli.commands.migrate import migrate_from_directus
from cli.commands.rebuild import rebuild
from cli.commands.reconcile import reconcile
from cli.commands.redact import redact
from cli.commands.restore import restore
from cli.commands.roles import roles
from cli.commands.schema import schema
from cli.commands.seal import seal
from cli.commands.serve import serve
from cli.commands.settings import settings
from cli.commands.undo import undo
from cli.commands.users import users
from cli.commands.verify import verify
from cli.commands.worker import worker
from cli.console import EXIT_FAILURE, say
from domain.errors import ActaError

app = typer.Typer(
    name="acta",
    help="An event-sourced headless CMS over your own PostgreSQL tables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(rebuild)
app.command()(restore)
app.command()(undo)
app.command()(redact)
app.command()(reconcile)
app.command()(diff)
app.command()(verify)
app.command()(worker)
app.command()(settings)
app.command()(adopt)
app.command()(migrate_from_directus)
app.add_typer(followers, name="followers")
app.add_typer(kafka, name="kafka")
app.add_typer(schema, name="schema")
for command in (archive, archives, recall):
    log.command()(command)
app.add_typer(log, name="log")
app.add_typer(seal, name="seal")
app.add_typer(users, name="users")
app.add_typer(roles, name="roles")


def main() -> None:
    """The console script. An error that has a message for people is that line and exit code 1."""
    try:
        app()
    except ActaError as error:
        say(error.message)
        sys.exit(EXIT_FAILURE)
    except Exception as error:
        import psycopg

        if not isinstance(error, psycopg.Error):
            raise
        # A full disk, a lost server: what was begun is rolled back, and the line says why.
        say(f"the database refused: {' '.join(str(error).split())}")
        sys.exit(EXIT_FAILURE)


if __name__ == "__main__":
    main()
