"""Sends what is due at one webhook: different items side by side, each item's events one after the other.

A job runs for as long as something is due. What fails waits in the table for its next time, so a receiver
that is slow or gone costs its own job some waiting and nobody else anything.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
import orjson
from multidict import CIMultiDict

from domain.access.sealed import Seal
from domain.log.record import Record
from domain.model import Model
from domain.settings_streams import WebhookSettings
from domain.webhooks.model import body_of, iso
from domain.webhooks.retrying import Retrying
from domain.webhooks.signing import message_headers
from projections.database import Database
from projections.tables.store import ModelStore
from projections.webhooks import outbox
from projections.webhooks.outbox import Due, Outcome
from services.web.guarded import SAME_REQUEST, GuardedClient, Unreachable
from workers.share import Share

log = logging.getLogger("acta.webhooks")

# Of an answer so much is kept for operators; the rest is not read.
ANSWER_BYTES: Final = 2000
ERROR_CHARACTERS: Final = 300
LOOK_SECONDS: Final = 0.2
# What ends within so long of another is noted with it.
GATHER_SECONDS: Final = 0.02
# Deliveries at hand for each that is being tried, so that none waits for the database between two of them.
AHEAD: Final = 2
# Not worth another job.
LINGER_SECONDS: Final = 1.5
AGENT: Final = "Acta"
_NOTHING: Final = {"number": None, "at": None, "duration": None, "status": None, "response": None}
_ASKING_TO_WAIT: Final = frozenset({429, 503})


class Sender:
    """Tries deliveries of any webhook. ``seal`` is None without SECRET."""

    def __init__(
        self,
        database: Database,
        models: ModelStore,
        client: GuardedClient,
        seal: Seal | None,
        settings: WebhookSettings,
        share: Share,
    ) -> None:
        self._database = database
        self._models = models
        self._client = client
        self._seal = seal
        self._settings = settings
        self._share = share
        self._retrying = Retrying(settings.first_retry, settings.attempts)
        self.stopping = asyncio.Event()

    async def send(self, webhook: int) -> None:
        """Try everything that is due, and what becomes due meanwhile."""
        flying: dict[asyncio.Task[Outcome | None], int] = {}
        most = AHEAD * self._settings.concurrency
        places = asyncio.Semaphore(self._settings.concurrency)
        try:
            while True:
                free = most - len(flying)
                if free and not self.stopping.is_set():
                    await self._share.turn()
                    for due in await outbox.due(self._database, webhook, flying.values(), free):
                        flying[asyncio.create_task(self._in_turn(places, due))] = due.id
                if not flying:
                    pause = await outbox.next_in(self._database, webhook)
                    if pause is None or pause > LINGER_SECONDS or self.stopping.is_set():
                        return
                    await asyncio.sleep(max(pause, 0.0))
                    continue
                # One that takes long must not hide what becomes due beside it.
                timeout = LOOK_SECONDS if len(flying) < most else None
                done, _ = await asyncio.wait(flying, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    done, _ = await asyncio.wait(flying, timeout=GATHER_SECONDS)
                    outcomes = [outcome for task in done if (outcome := task.result()) is not None]
                    await outbox.settle(self._database, webhook, outcomes)
                for task in done:
                    del flying[task]
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)

    async def _in_turn(self, places: asyncio.Semaphore, due: Due) -> Outcome | None:
        """Try a delivery when there is a place; None when it is left for later."""
        async with places:
            return None if self.stopping.is_set() else await self.attempt(due)

    async def attempt(self, due: Due) -> Outcome:
        """Try a delivery once. Whatever happens is an outcome."""
        record = due.record
        if record is None:
            return Outcome(due.id, "dead", {**_NOTHING, "error": "its event was moved into an archive"})
        at, began = datetime.now(UTC), time.monotonic()
        told: dict[str, Any] = {"status": None, "response": None, "error": None}
        asked = 0.0
        try:
            async with asyncio.timeout(self._settings.timeout):
                asked = await self._exchange(due, record, told)
        except TimeoutError:
            told["error"] = f"no answer within {self._settings.timeout:g} s"
        except (Unreachable, _Unsendable) as error:
            told["error"] = str(error)[:ERROR_CHARACTERS]
        except Exception as error:
            log.exception("delivery %s of webhook %s failed", due.id, due.target.webhook)
            told["error"] = type(error).__name__
        attempt = {
            "number": due.attempts + 1,
            "at": iso(at),
            "duration": round((time.monotonic() - began) * 1000),
            **told,
        }
        if told["error"] is None and 200 <= told["status"] < 300:
            return Outcome(due.id, "delivered", attempt)
        pause = self._retrying.pause(due.failures + 1, asked)
        if pause is None:
            log.warning("delivery %s of webhook %s is given up", due.id, due.target.webhook)
            return Outcome(due.id, "dead", attempt)
        return Outcome(due.id, "waiting", attempt, pause)

    async def _exchange(self, due: Due, record: Record, told: dict[str, Any]) -> float:
        """Send, and fill in what was answered; the seconds that the receiver asks to wait."""
        target = due.target
        body = body_for(due, record, self._models.current) if target.data else b""
        try:
            signed = message_headers(message_id(due, record), int(time.time()), body, self._secret(due))
        except ValueError:
            raise _Unsendable("the secret can't be used") from None
        async with self._client.request(
            target.method,
            target.url,
            headers=headers_for(due, record, signed),
            private=[name.lower() for name, _ in target.own_headers],
            redirects=SAME_REQUEST,
            **({"data": body} if target.data else {}),
        ) as response:
            told["status"] = response.status
            told["response"] = await _beginning(response)
            asked = response.headers.get("Retry-After", "")
            waits = response.status in _ASKING_TO_WAIT and asked.isascii() and asked.isdigit()
            return float(asked[:9]) if waits else 0.0

    def _secret(self, due: Due) -> str | None:
        stored = due.target.secret
        if stored is None:
            return None
        opened = self._seal.open(stored) if self._seal is not None else None
        if opened is None:
            raise _Unsendable("the secret was sealed with another SECRET")
        return opened


class _Unsendable(Exception):
    """Nothing can be sent."""


def message_id(due: Due, record: Record) -> str:
    """The same for every attempt at an event, those of replays too: by it receivers know what they have."""
    return f"msg_{due.target.webhook}_{record.seq}"


def body_for(due: Due, record: Record, model: Model) -> bytes:
    """The bytes that are sent and signed."""
    return orjson.dumps(body_of(record, model, due.role), default=str)


def headers_for(due: Due, record: Record, signed: Mapping[str, str]) -> CIMultiDict[str]:
    """All headers; the webhook's own win over ours where they may."""
    found = CIMultiDict({"User-Agent": AGENT, "acta-position": str(record.position)})
    if due.target.data:
        found["Content-Type"] = "application/json"
    for name, value in due.target.own_headers:
        found.popall(name, None)
        found[name] = value
    found.update(signed)
    return found


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The first bytes of an answer as text that PostgreSQL takes."""
    raw = b""
    while len(raw) < ANSWER_BYTES and (chunk := await response.content.read(ANSWER_BYTES - len(raw))):
        raw += chunk
    return raw.decode("utf-8", "replace").replace("\x00", "\ufffd")
