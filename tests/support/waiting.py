"""Wait for something that happens elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(happened: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Ask again and again. Raises TimeoutError when it did not happen in time."""
    async with asyncio.timeout(seconds):
        while not await happened():
            await asyncio.sleep(0.1)
