"""`acta users`: who may log in, for those locked out or without a browser."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer

from cli.console import fail

if TYPE_CHECKING:
    from cli.services import Services

USERS = "directus_users"
ROLES = "directus_roles"

Result = TypeVar("Result")

users = typer.Typer(help="List and create users, set their passwords and tokens.", no_args_is_help=True)
Email = Annotated[str, typer.Argument(help="E-mail address of the user.")]
Password = Annotated[
    str,
    typer.Option(prompt=True, confirmation_prompt=True, hide_input=True, help="Asked for when not given."),
]


@users.command("list")
def list_users() -> None:
    """Print every user with role, status and last visit."""
    for row in run_with_services(_all_users):
        typer.echo("\t".join(row))


@users.command()
def create(
    email: Email,
    password: Password,
    role: Annotated[str, typer.Option(help="Name or key of the role.")] = "Administrator",
) -> None:
    """Create a user and print its key."""

    async def run(services: "Services") -> str:
        wanted = "id" if is_uuid(role) else "name"
        roles = await services.rows(ROLES, fields=["id"], filter={wanted: {"_eq": role}})
        if not roles:
            fail(f"there is no role {role}")
        return await services.create(USERS, {"email": email, "password": password, "role": roles[0]["id"]})

    typer.echo(run_with_services(run))


@users.command("passwd", hidden=True)
@users.command()
def password(email: Email, password: Password) -> None:
    """Set the password of a user."""

    async def run(services: "Services") -> None:
        await services.update(USERS, await _key_of(services, email), {"password": password})

    run_with_services(run)


@users.command()
def token(email: Email) -> None:
    """Make a new static token for a user and print it; the log and the tables keep only a digest."""
    import secrets

    async def run(services: "Services") -> str:
        made = secrets.token_urlsafe(24)
        await services.update(USERS, await _key_of(services, email), {"token": made})
        return made

    typer.echo(run_with_services(run))


def is_uuid(text: str) -> bool:
    """Whether a text is a key."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


async def _all_users(services: "Services") -> list[list[str]]:
    fields = ["email", "role.name", "status", "last_access"]
    rows = await services.rows(USERS, fields=fields, sort=["email"], limit=-1)
    return [
        [row["email"] or "-", (row["role"] or {}).get("name", "-"), row["status"], row["last_access"] or "-"]
        for row in rows
    ]


async def _key_of(services: "Services", email: str) -> str:
    # Addresses are unique whatever their case, and the query language can't compare like that.
    rows = await services.rows(
        USERS, fields=["id", "email"], filter={"email": {"_icontains": email}}, limit=-1
    )
    found = [row["id"] for row in rows if row["email"].lower() == email.lower()]
    if not found:
        fail(f"there is no user {email}")
    return str(found[0])


def run_with_services(action: "Callable[[Services], Awaitable[Result]]") -> Result:
    """Do something with the services on the database of the settings."""
    import uvloop

    from cli.database import database
    from cli.services import opened
    from cli.settings import load_settings
    from domain.settings import Settings

    async def run(settings: Settings) -> Result:
        async with opened(settings) as services:
            return await action(services)

    with database(load_settings()) as (settings, _):
        return uvloop.run(run(settings))
