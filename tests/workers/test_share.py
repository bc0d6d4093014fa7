"""Followers on a machine that has no CPU to spare."""

import asyncio
from pathlib import Path

import pytest

from workers.share import MOST_SECONDS, Reading, Share, read


class Machine:
    """A clock, CPU time and idle time of two CPUs that move when told."""

    def __init__(self) -> None:
        self.reading = Reading(100.0, 7.0, 5000.0)

    def __call__(self) -> Reading:
        return self.reading

    def pass_by(self, share: Share, *, used: float, idle: float) -> None:
        """A tenth of a second; CPUs that were used by this process, and by nobody."""
        at = self.reading
        self.reading = Reading(at.clock + 0.1, at.used + used * 0.1, at.idle + idle * 0.1)
        share.look()


async def free(share: Share) -> bool:
    try:
        await asyncio.wait_for(share.turn(), 0.005)
    except TimeoutError:
        return False
    return True


async def ticks(machine: Machine, share: Share, number: int, idle: float) -> list[bool]:
    """Whether there was a turn in each tick, by work that takes a whole CPU whenever it may."""
    turns = []
    for _ in range(number):
        turns.append(await free(share))
        machine.pass_by(share, used=float(turns[-1]), idle=idle)
    return turns


@pytest.mark.parametrize("idle", [2.0, 0.6])
async def test_whoever_has_room_takes_all_of_it(idle: float) -> None:
    machine = Machine()
    assert all(await ticks(machine, Share(0.1, machine, 2), 50, idle))


@pytest.mark.parametrize("least", [0.1, 0.5])
async def test_on_a_full_machine_the_least_is_used(least: float) -> None:
    machine = Machine()
    share = Share(least, machine, 2)
    await ticks(machine, share, 50, 0.0)
    turns = await ticks(machine, share, 200, 0.0)
    assert sum(turns) / len(turns) == pytest.approx(least, abs=0.03)


async def test_what_is_short_on_many_processors_is_more() -> None:
    machine = Machine()
    assert all(await ticks(machine, Share(0.1, machine, 2), 50, 0.5))
    machine = Machine()
    assert not all(await ticks(machine, Share(0.1, machine, 64), 50, 0.5))


async def test_work_goes_on_when_there_is_room_again() -> None:
    machine = Machine()
    share = Share(0.1, machine, 2)
    assert not all(await ticks(machine, share, 50, 0.0))
    assert all((await ticks(machine, share, 150, 1.0))[100:])


async def test_on_a_full_machine_one_goes_after_the_other() -> None:
    machine = Machine()
    share = Share(0.5, machine, 2)
    assert [await free(share) for _ in range(3)] == [True, True, True]
    for _ in range(50):
        machine.pass_by(share, used=0.0, idle=0.0)
    assert [await free(share) for _ in range(3)] == [True, False, False]


async def test_what_others_in_the_process_use_starves_nobody() -> None:
    machine = Machine()
    share = Share(0.1, machine, 2)
    longest = waited = 0
    for _ in range(200):
        waited = 0 if await free(share) else waited + 1
        longest = max(longest, waited)
        machine.pass_by(share, used=1.0, idle=0.0)
    assert longest == pytest.approx(MOST_SECONDS / 0.1, abs=1)


async def test_nobody_waits_for_a_part_that_is_the_whole_or_after_the_end() -> None:
    stop = asyncio.Event()
    await Share(1).watch(stop)
    machine = Machine()
    share = Share(0.1, machine, 2)
    for _ in range(50):
        machine.pass_by(share, used=1.0, idle=0.0)
    assert not await free(share)
    stop.set()
    await share.watch(stop)
    assert [await free(share) for _ in range(3)] == [True, True, True]


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
    monkeypatch.setattr("workers.share._STATISTICS", tmp_path / "nothing")
    found = read()
    assert found.idle == found.clock
