"""A client that does not read costs a bounded heap of frames, and then its connection."""

import asyncio
from typing import Any, cast

from aiohttp import web

from api.realtime import outbox as module
from api.realtime.outbox import LARGEST, Outbox


class Stuck:
    """A socket whose client never reads."""

    async def send_frame(self, message: bytes, opcode: Any) -> None:
        await asyncio.Event().wait()


async def test_a_heap_is_dropped_with_its_connection() -> None:
    box = Outbox(cast("web.WebSocketResponse", Stuck()))
    draining = asyncio.create_task(box.drain())
    await asyncio.sleep(0)
    for _ in range(10):
        box.put(b"x" * (LARGEST // 8))
    assert box.full
    assert len(box._frames) == 0
    draining.cancel()


async def test_a_client_that_takes_too_long_is_cut_off(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "SEND_SECONDS", 0.05)
    box = Outbox(cast("web.WebSocketResponse", Stuck()))
    box.put(b"frame")
    async with asyncio.timeout(30):
        await box.drain()
    assert box.full
