"""Child processes that are started again when they end, until their supervisor stops them."""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from cli.console import EXIT_SETTINGS, say
from cli.lifetime import ending_with_parent

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
# A child that lived this long was healthy: the next restart is immediate again.
HEALTHY_SECONDS = 10.0
KILL_GRACE_SECONDS = 5.0


@dataclass
class Child:
    """One role to be filled by a process: `python -m module arguments`."""

    name: str
    module: str
    environment: Mapping[str, str]
    arguments: Sequence[str] = ()
    starts: int = 0
    process: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def keep_running(self, stop: asyncio.Event, patience_seconds: float) -> int:
        """Run the process, again after each end, until `stop` is set.

        Returns 0, or the exit code of a first start that failed for good (a wrong setting, a taken port):
        starting that again can't help. A child that doesn't end within `patience_seconds` of a SIGTERM, and a
        little more, is killed.
        """
        pause = FIRST_PAUSE_SECONDS
        while not stop.is_set():
            began = time.monotonic()
            self.process = await self._start()
            code = await self._ended_or_stopped(stop, patience_seconds)
            if stop.is_set():
                break
            lived = time.monotonic() - began
            if self.starts == 1 and 0 < code <= EXIT_SETTINGS:
                return code
            pause = FIRST_PAUSE_SECONDS if lived > HEALTHY_SECONDS else min(pause * 2, LONGEST_PAUSE_SECONDS)
            say(f"{self.name} ended ({_ending(code)}); starting it again in {pause:.1f} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
        return 0

    async def _start(self) -> asyncio.subprocess.Process:
        self.starts += 1
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self.module,
            *self.arguments,
            env=dict(self.environment),
            preexec_fn=ending_with_parent(),
        )

    async def _ended_or_stopped(self, stop: asyncio.Event, patience_seconds: float) -> int:
        assert self.process is not None
        ended = asyncio.create_task(self.process.wait())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._terminate(ended, patience_seconds)
            return await ended
        finally:
            stopped.cancel()

    async def _terminate(self, ended: asyncio.Task[int], patience_seconds: float) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.terminate()
        done, _ = await asyncio.wait({ended}, timeout=patience_seconds + KILL_GRACE_SECONDS)
        if not done:
            say(f"{self.name} doesn't stop; killing it")
            with suppress(ProcessLookupError):
                self.process.kill()


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
