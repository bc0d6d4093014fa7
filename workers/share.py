"""Work that follows events gives way to the requests that make them.

The priority of a process says who gets a CPU next, not what PostgreSQL does for it at everybody's expense. So
while the machine has no CPU to spare, all followers of a process together use less and less of one, down to
their share: they fall behind, and catch up afterwards.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.stopping import sleep

LOOK_SECONDS: Final = 0.1
SMOOTHING: Final = 0.1
# CPUs that have to be idle, at least so many and such a part of all: with less, requests already wait.
# Measured on two: 0.4 under a full load of writes alone, 0.6 while a backlog is published and nothing else
# happens, 0.04 with both.
LEAST_IDLE: Final = 0.3
LEAST_IDLE_PART: Final = 0.025
# Per look: fast to give way, slow to take more.
LESS: Final = 0.5
MORE: Final = 0.02
# What was used too much is waited for, but never longer than this.
MOST_SECONDS: Final = 3.0
# CPU seconds that are not worth a rest.
LEAST_OWED: Final = 0.001
_STATISTICS: Final = Path("/proc/stat")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Reading:
    """Seconds until now: by the clock, used by this process, not used by anybody (all CPUs together)."""

    clock: float
    used: float
    idle: float


def read() -> Reading:
    """Look (Linux: proc_stat(5)). Where the system does not tell, a CPU is idle."""
    clock = time.monotonic()
    try:
        times = _STATISTICS.read_text().split("\n", 1)[0].split()
        idle = (int(times[4]) + int(times[5])) / _TICKS
    except (OSError, ValueError, IndexError):
        idle = clock
    return Reading(clock, time.process_time(), idle)


class Share:
    """Lets pieces of work begin: as they come, or on a full machine as little as ``least`` of one CPU; 1 is
    no limit."""

    def __init__(self, least: float, look: Callable[[], Reading] = read, processors: int = 0) -> None:
        self._least = least
        self._look = look
        self._needed = max(LEAST_IDLE, LEAST_IDLE_PART * (processors or os.cpu_count() or 1))
        self._last = look()
        self._idle = 1.0
        self._part = 1.0
        self._left = 0.0
        self._resting = 0.0
        self._free = asyncio.Event()
        self._free.set()

    async def turn(self) -> None:
        """Wait until the next piece may begin; on a full machine one after the other."""
        while not self._free.is_set():
            await self._free.wait()
        if self._part < 1.0:
            self._free.clear()

    async def watch(self, stop: asyncio.Event) -> None:
        """Look at the machine until told to stop; nobody waits afterwards."""
        while self._least < 1 and not stop.is_set():
            await sleep(stop, LOOK_SECONDS)
            self.look()
        self._part = 1.0
        self._free.set()

    def look(self) -> None:
        """Take account of what happened since the last time."""
        last, now = self._last, self._look()
        self._last = now
        passed = max(now.clock - last.clock, 1e-6)
        self._idle += SMOOTHING * ((now.idle - last.idle) / passed - self._idle)
        full = self._idle < self._needed
        self._part = max(self._part * LESS, self._least) if full else min(self._part + MORE, 1.0)
        self._left = min(self._left + self._part * passed - (now.used - last.used), 0.0)
        self._resting += passed
        if self._part < 1.0 and self._left < -LEAST_OWED and self._resting < MOST_SECONDS:
            self._free.clear()
            return
        if self._part >= 1.0 or self._resting >= MOST_SECONDS:
            self._left = 0.0
        self._resting = 0.0
        self._free.set()
