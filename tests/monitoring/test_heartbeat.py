"""When the schedule counts as well, and when it hangs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from ajpes_reporting.domain.errors import Busy
from ajpes_reporting.monitoring.heartbeat import Heartbeat
from tests.pipeline.conftest import Bank


@dataclass
class Seconds:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def pulse(seconds: Seconds) -> Heartbeat:
    """A tick every minute; a run lasts an hour at most."""
    return Heartbeat(60, 3600, seconds)


def test_three_ticks_missed_are_too_many(pulse: Heartbeat, seconds: Seconds) -> None:
    """One tick that came late wakes nobody; three do."""
    seconds.now += 179
    assert pulse.complaint() == ""
    seconds.now += 1
    assert "180 seconds" in pulse.complaint()
    pulse.beat()
    assert pulse.complaint() == ""


def test_a_run_that_takes_its_time_is_no_silence(bank: Bank, pulse: Heartbeat, seconds: Seconds) -> None:
    """A large report is not mistaken for a schedule that stands still, nor is the moment after it."""
    context = pulse.watch(bank.context)
    seconds.now += 100
    with context.exclusive():
        seconds.now += 3000
        assert pulse.complaint() == ""
        assert not pulse.hangs()
    seconds.now += 79
    assert pulse.complaint() == ""
    seconds.now += 1
    assert pulse.complaint()


def test_a_run_without_end_is_told(bank: Bank, pulse: Heartbeat, seconds: Seconds) -> None:
    """However large a report is, it ends within `schedule.longest_run_seconds`, or something is wrong."""
    with pulse.watch(bank.context).exclusive():
        seconds.now += 3601
        assert "a run has lasted for 3601 seconds" in pulse.complaint()
        assert pulse.hangs()


def test_a_tick_that_fails_each_time_is_unwell_but_does_not_hang(pulse: Heartbeat, seconds: Seconds) -> None:
    """A database that is away is told by /health; restarting the program would not bring it back."""
    for _ in range(10):
        seconds.now += 60
        pulse.stir()
    assert pulse.complaint()
    assert not pulse.hangs()


def test_the_watched_desk_still_excludes_others(bank: Bank, pulse: Heartbeat) -> None:
    """Watching a run does not take its lock away; a refused one does not count as work."""
    with bank.context.exclusive(), pytest.raises(Busy), pulse.watch(bank.context).exclusive():
        pytest.fail("two at once")
    with pulse.watch(bank.context).exclusive():
        pass


def test_runs_at_the_same_time_count_once(bank: Bank, pulse: Heartbeat, seconds: Seconds) -> None:
    """Two providers are served at once; the time is not taken twice."""

    @contextmanager
    def free() -> Iterator[None]:
        yield

    from dataclasses import replace

    context = pulse.watch(replace(bank.context, exclusive=free))
    with context.exclusive(), context.exclusive():
        seconds.now += 500
    seconds.now += 180
    assert pulse.complaint()
