"""What every letter says of the project: the variables that all templates get."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from projections.database import Database
from projections.system.accounts import Accounts


def letter_defaults(database: Database, public_url: str) -> Callable[[], Awaitable[Mapping[str, object]]]:
    """Reads ``projectName``, ``projectColor``, ``projectLogo`` and ``projectUrl``, for each letter anew."""
    accounts = Accounts(database)

    async def defaults() -> Mapping[str, object]:
        project = await accounts.project()
        return {
            "projectName": project.name,
            "projectColor": project.color,
            "projectLogo": f"{public_url.rstrip('/')}/assets/{project.logo}" if project.logo else "",
            "projectUrl": project.url or "",
        }

    return defaults
