"""Webhooks: what could never be delivered is refused, secrets are sealed, deliveries go with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.access.secrets import MASK
from domain.webhooks.rules import check
from projections.sql import load
from projections.system.guards.base import Action, Change, Guard, Occasion, Payload

SQL: Final = load("webhooks/deliveries")


class WebhookGuard(Guard):
    """The rules of `/webhooks`."""

    def payload(self, occasion: Occasion, action: Action, change: Change) -> Payload:
        """Refuse what makes no sense; seal the secret."""
        written = {name: value for name, value in change.payload.items() if (name, value) != ("secret", MASK)}
        check(written)
        if written.get("secret"):
            written["secret"] = occasion.writer.seal(written["secret"])
        return written

    async def before_delete(self, occasion: Occasion, keys: Sequence[str]) -> None:
        """Give up what is still to be sent."""
        webhooks = [int(key) for key in keys]
        await occasion.connection.execute(SQL["forget"], {"webhooks": webhooks})
