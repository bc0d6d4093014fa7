"""Flows and their operations: every process hears of changes."""

from __future__ import annotations

from collections.abc import Sequence

from projections.flows.store import touch_flows
from projections.system.guards.base import Action, Change, Guard, Occasion


class FlowGuard(Guard):
    """Tells of any change."""

    async def after(self, occasion: Occasion, action: Action, changes: Sequence[Change]) -> None:
        """Tell of the change when it commits."""
        if occasion.first("flows told"):
            await touch_flows(occasion.connection)
