"""`acta roles`: roles with the one policy that most of them need."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.users import ROLES, run_with_services

if TYPE_CHECKING:
    from cli.services import Services

roles = typer.Typer(help="List and create roles.", no_args_is_help=True)


@roles.command("list")
def list_roles() -> None:
    """Print key and name of every role."""

    async def run(services: "Services") -> list[str]:
        rows = await services.rows(ROLES, fields=["id", "name"], sort=["name"], limit=-1)
        return [f"{row['id']}\t{row['name']}" for row in rows]

    for line in run_with_services(run):
        typer.echo(line)


@roles.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the role and of its policy.")],
    admin: Annotated[bool, typer.Option("--admin", help="May do everything.")] = False,
    app: Annotated[bool, typer.Option("--app", help="May use the app; --admin includes it.")] = False,
) -> None:
    """Create a role with a policy of the same name, and print the role's key."""

    async def run(services: "Services") -> str:
        policy = {"name": name, "admin_access": admin, "app_access": app or admin}
        return await services.create(ROLES, {"name": name, "policies": [{"policy": policy}]})

    typer.echo(run_with_services(run))
