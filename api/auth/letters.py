"""The variables that every letter's template gets."""

from __future__ import annotations

from collections.abc import Mapping

from api.auth.links import own_url
from domain.settings import Settings
from projections.system.accounts import Accounts


async def mail_defaults(accounts: Accounts, settings: Settings) -> Mapping[str, object]:
    """Name, colour, logo and address of the project."""
    project = await accounts.project()
    logo = own_url(settings, f"/assets/{project.logo}") if project.logo else None
    return {
        "projectName": project.name,
        "projectColor": project.color,
        "projectLogo": logo,
        "projectUrl": project.url or "",
    }
