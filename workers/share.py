"""Work that follows events gives way to the requests that make them.

The priority of a process says who gets a CPU next, not what PostgreSQL does for it at everybody's expense. So
while the machine has no CPU to spare, all followers of a process together use less and less of one, down to
their share: they fall behind, and catch up afterwards.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.stopping import sleep

LOOK_SECONDS: Final = 0.1
# CPUs that have to be idle, at least so many and such a part of all: with less, requests already wait.
# Measured on two: 0.4 under a full load of writes alone, 0.6 while a backlog is published and nothing else
# happens, 0.04 with both.
LEAST_IDLE: Final = 0.3
LEAST_IDLE_PART: Final = 0.025
# Fast to give way, with every look, and slow to take more, in a second.
LESS: Final = 0.5
MORE: Final = 0.2
# What was used too much is waited for, but never longer than this.
MOST_SECONDS: Final = 3.0
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
    """Lets pieces of work begin: as they come, or on a full machine one after the other and by as little as
    ``least`` of one CPU; 1 is no limit. Nobody waits after ``stop``."""

    def __init__(
        self,
        least: float,
        stop: asyncio.Event,
        look: Callable[[], Reading] = read,
        processors: int = 0,
    ) -> None:
        self._least = least
        self._stop = stop
        self._read = look
        self._needed = max(LEAST_IDLE, LEAST_IDLE_PART * (processors or os.cpu_count() or 1))
        self._last = look()
        self._idle = 1.0
        self._part = 1.0
        self._owed = 0.0
        self._line = asyncio.Lock()

    async def turn(self) -> None:
        """Wait until the next piece may begin."""
        if self._least >= 1:
            return
        async with self._line:
            if not self._look() and self._part < 1:
                # What the last piece takes is not known yet.
                await sleep(self._stop, LOOK_SECONDS)
                self._look()
            if self._part < 1:
                await sleep(self._stop, self._owed / self._part)
                self._look()

    def _look(self) -> bool:
        """Take account of what happened since the last time, unless that was just now."""
        last, now = self._last, self._read()
        passed = now.clock - last.clock
        if passed < LOOK_SECONDS:
            return False
        self._last = now
        self._idle += (1 - math.exp(-passed)) * ((now.idle - last.idle) / passed - self._idle)
        if self._idle < self._needed:
            self._part = max(self._part * LESS, self._least)
        else:
            self._part = min(self._part + MORE * passed, 1.0)
        owed = self._owed + now.used - last.used - self._part * passed
        self._owed = 0.0 if self._part >= 1 else min(max(owed, 0.0), self._part * MOST_SECONDS)
        return True
