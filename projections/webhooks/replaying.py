"""Replays: the deliveries of a range of the log are opened once more, a piece in each transaction."""

from __future__ import annotations

import logging
from typing import Final

from domain.errors import InvalidPayload
from projections.database import Database
from projections.log import positions
from projections.sql import load
from projections.webhooks.noting import note_again, webhooks

log = logging.getLogger("acta.webhooks")
SQL: Final = load("webhooks/replays")
PIECE: Final = 500


async def advance(database: Database, replay: int) -> bool:
    """Open the deliveries of the next piece; False when there is nothing left to do, or another does it."""
    async with database.transaction() as connection:
        row = await (await connection.execute(SQL["hold"], {"replay": replay})).fetchone()
        if row is None:
            return False
        webhook, collection, last, position = row
        found = await webhooks(connection, webhook)
        try:
            records = await positions.read(connection, position, min(PIECE, last - position)) if found else []
        except InvalidPayload as error:
            log.warning("a replay of webhook %s ends early: %s", webhook, error.message)
            records = []
        chosen = [record for record in records if collection in (None, record.collection)]
        noted = await note_again(connection, found[0], chosen, replay) if chosen else 0
        reached = records[-1].position if records else last
        values = {"replay": replay, "position": reached, "noted": noted, "over": reached >= last}
        await connection.execute(SQL["move"], values)
        return bool(reached < last)
