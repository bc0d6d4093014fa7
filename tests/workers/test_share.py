"""Followers on a machine that has no CPU to spare."""

import asyncio
import itertools
from pathlib import Path

import pytest

from workers import share as module
from workers.share import LOOK_SECONDS, MOST_SECONDS, Reading, Share, read


class Machine:
    """A clock, CPU time and idle time of two CPUs; time passes while somebody works or sleeps."""

    def __init__(self) -> None:
        self.reading = Reading(100.0, 7.0, 5000.0)
        self.idle = 2.0
        self.others = 0.0

    def __call__(self) -> Reading:
        return self.reading

    async def sleep(self, stop: asyncio.Event, seconds: float) -> None:
        """Takes the place of that of the workers."""
        if not stop.is_set():
            self.pass_by(seconds)

    def pass_by(self, seconds: float, used: float = 0.0) -> None:
        """Time in which this process used so much of a CPU, besides what others in it use."""
        at = self.reading
        used += self.others
        self.reading = Reading(at.clock + seconds, at.used + used * seconds, at.idle + self.idle * seconds)

    async def work(self, share: Share, seconds: float) -> float:
        """Pieces of a tenth of a second by a whole CPU; the part of the time that was worked."""
        began, worked = self.reading.clock, 0.0
        while self.reading.clock < began + seconds:
            await share.turn()
            self.pass_by(0.1, used=1.0)
            worked += 0.1
        return worked / (self.reading.clock - began)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine()
    monkeypatch.setattr(module, "sleep", found.sleep)
    return found


@pytest.fixture
def stop() -> asyncio.Event:
    return asyncio.Event()


@pytest.mark.parametrize("idle", [2.0, 0.6])
async def test_whoever_has_room_takes_all_of_it(machine: Machine, stop: asyncio.Event, idle: float) -> None:
    machine.idle = idle
    assert await machine.work(Share(0.1, stop, machine, 2), 60) == pytest.approx(1)


@pytest.mark.parametrize("least", [0.1, 0.4])
async def test_on_a_full_machine_the_least_is_used(
    machine: Machine, stop: asyncio.Event, least: float
) -> None:
    machine.idle = 0.0
    share = Share(least, stop, machine, 2)
    await machine.work(share, 10)
    assert await machine.work(share, 100) == pytest.approx(least, abs=0.03)


async def test_what_is_short_on_many_processors_is_more(machine: Machine, stop: asyncio.Event) -> None:
    machine.idle = 0.5
    assert await machine.work(Share(0.1, stop, machine, 2), 20) == pytest.approx(1)
    assert await machine.work(Share(0.1, stop, machine, 64), 20) < 0.5


async def test_work_goes_on_when_there_is_room_again(machine: Machine, stop: asyncio.Event) -> None:
    share = Share(0.1, stop, machine, 2)
    machine.idle = 0.0
    await machine.work(share, 20)
    machine.idle = 1.0
    await machine.work(share, 15)
    assert await machine.work(share, 20) == pytest.approx(1)


async def test_on_a_full_machine_one_goes_after_the_other(machine: Machine, stop: asyncio.Event) -> None:
    share = Share(0.5, stop, machine, 2)
    machine.idle = 0.0
    await machine.work(share, 10)
    began, turns = machine.reading.clock, []

    async def turn() -> None:
        await share.turn()
        turns.append(machine.reading.clock - began)

    await asyncio.gather(*(turn() for _ in range(5)))
    assert all(later - sooner >= LOOK_SECONDS * 0.99 for sooner, later in itertools.pairwise(turns))


async def test_what_others_in_the_process_use_starves_nobody(machine: Machine, stop: asyncio.Event) -> None:
    share = Share(0.1, stop, machine, 2)
    machine.idle, machine.others = 0.0, 1.0
    await machine.work(share, 10)
    for _ in range(20):
        began = machine.reading.clock
        await share.turn()
        assert machine.reading.clock - began <= MOST_SECONDS + LOOK_SECONDS * 1.01


async def test_nobody_waits_for_a_part_that_is_the_whole_or_after_the_end(
    machine: Machine, stop: asyncio.Event
) -> None:
    machine.idle = 0.0
    assert await machine.work(Share(1, stop, machine, 2), 20) == pytest.approx(1)
    share = Share(0.1, stop, machine, 2)
    assert await machine.work(share, 20) < 0.5
    stop.set()
    assert await machine.work(share, 20) == pytest.approx(1)


async def test_whoever_waits_is_let_go_at_the_end() -> None:
    """With the clock of the system."""
    machine, stop = Machine(), asyncio.Event()
    share = Share(0.1, stop, machine, 2)
    machine.idle, machine.others = 0.0, 1.0
    for _ in range(50):
        machine.pass_by(0.1)
        share._look()
    waiting = [asyncio.create_task(share.turn()) for _ in range(20)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    stop.set()
    async with asyncio.timeout(30):
        await asyncio.gather(*waiting)


def test_the_system_tells_of_work() -> None:
    before = read()
    sum(range(3_000_000))
    after = read()
    assert before.clock < after.clock
    assert before.used < after.used
    assert before.idle <= after.idle


def test_where_the_system_tells_nothing_a_processor_is_idle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_STATISTICS", tmp_path / "nothing")
    found = read()
    assert found.idle == found.clock
