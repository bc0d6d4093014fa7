"""Keeping the log complete while tables change under it: no value may be lost that it does not hold."""

from __future__ import annotations

from typing import Any

from domain.model.schema import Collection
from projections.schema.work import Work


async def complete_log(work: Work, collection: Collection, field: str | None = None) -> None:
    """Before rows or a column go: append what the tables hold and the log does not."""


async def fill_log(work: Work, collection: Collection, field: str) -> Any:
    """After a column was added or converted: append the values its rows got by that."""
    return None
