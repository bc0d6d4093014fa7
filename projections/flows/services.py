"""What operations work with, and on whose behalf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from domain.access.caller import SYSTEM, Caller
from domain.access.command import Command
from domain.access.rights import ADMINISTRATOR, Rights
from domain.errors import Forbidden, InvalidPayload
from domain.flows.outside import Outside
from domain.flows.running import Run
from domain.settings import FlowSettings
from projections.database import Database
from projections.flows.chain import notes
from projections.log.contexts import Contexts
from projections.reading.reader import Reader
from projections.system.rights import RightsStore
from projections.tables.item_writer import ItemWriter
from projections.tables.store import ModelStore


@dataclass(frozen=True, slots=True)
class FlowServices:
    """The parts of Acta that operations call."""

    database: Database
    models: ModelStore
    reader: Reader
    writer: ItemWriter
    rights: RightsStore
    contexts: Contexts
    outside: Outside
    settings: FlowSettings

    async def identity(self, wanted: Any, run: Run) -> tuple[Caller, Rights]:
        """On whose behalf an operation acts: ``$trigger``, ``$public``, ``$full`` or a role's id.

        Raises:
            InvalidPayload: for anything else.
            Forbidden: for an unknown role.
        """
        if wanted in (None, "", "$trigger"):
            if run.caller is None:
                return SYSTEM, ADMINISTRATOR
            return await self.standing(run.caller)
        if wanted == "$full":
            return SYSTEM, ADMINISTRATOR
        if wanted == "$public":
            return await self.standing(Caller())
        try:
            role = UUID(str(wanted))
        except ValueError:
            raise InvalidPayload('"permissions" has to be $trigger, $public, $full or a role') from None
        caller, rights = await self.standing(Caller(role=role))
        if not caller.roles:
            raise Forbidden()
        return caller, rights

    async def command(self, caller: Caller, rights: Rights, *, emit: bool) -> Command:
        """A command of an operation; unless it emits, no flow, hook or subscriber hears of it."""
        context = await self.contexts.id_of(caller)
        command = Command(caller, rights, uuid4(), context)
        return command.noting(**notes()) if emit else command.noting(muted=True)

    async def standing(self, caller: Caller) -> tuple[Caller, Rights]:
        """A caller with roles, policies and rights as they are now."""
        known = Caller(
            user=caller.user,
            role=caller.role,
            ip=caller.ip,
            user_agent=caller.user_agent,
            origin=caller.origin,
        )
        standing = await self.rights.standing(self.models.current, known)
        return standing.of(known), standing.rights

    def environment(self, variables: Mapping[str, str]) -> dict[str, Any]:
        """The variables that flows may see, as values."""
        names = self.settings.environment
        return {name: _cast(variables[name]) for name in names if name in variables}


def _cast(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if text.isascii() and text.isdigit() and (text == "0" or not text.startswith("0")):
        return int(text)
    return text.split(",") if "," in text else text
