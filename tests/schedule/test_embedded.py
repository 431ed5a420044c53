"""The loop of one machine: ticks come at even distances, none twice, and nothing but a stop ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from ajpes_reporting.config import open_workspace
from ajpes_reporting.schedule.embedded import EmbeddedEngine
from ajpes_reporting.schedule.provider_schedule import Chore, ProviderSchedule
from ajpes_reporting.schedule.retries import Retries
from ajpes_reporting.schedule.tick import Done
from ajpes_reporting.wiring import open_context
from ajpes_reporting.workspace import make_workspace

PAUSE_SECONDS = 0.2


def nobody(_duty: ProviderSchedule, done: Done | Exception) -> None:
    raise AssertionError(done)


def ticks(at_each: Callable[[int], None], number: int) -> list[float]:
    """When each of so many ticks was through, in pauses since the start; `at_each` is part of the tick."""
    began, stop, through = time.monotonic(), threading.Event(), list[float]()

    def alive() -> None:
        through.append((time.monotonic() - began) / PAUSE_SECONDS)
        if len(through) == number:
            stop.set()
        at_each(len(through))

    EmbeddedEngine([], PAUSE_SECONDS, nobody, alive).run(stop)
    return through


def test_the_first_tick_comes_at_once_and_the_others_at_even_distances() -> None:
    """A service that was started at 17:59 does not wait a minute before it looks what is due."""
    through = ticks(lambda _number: time.sleep(PAUSE_SECONDS / 2), 4)
    assert [int(at) for at in through] == [0, 1, 2, 3]


def test_ticks_that_fell_due_during_a_long_one_are_made_up_for_once() -> None:
    """A report that took an hour is not followed by sixty looks at the same table."""
    through = ticks(lambda number: time.sleep(2.5 * PAUSE_SECONDS if number == 1 else 0), 3)
    assert [int(at) for at in through] == [0, 3, 4]


def test_a_tick_that_fails_is_told_and_followed_by_the_next(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever broke today, tomorrow's report goes; whoever reads the log finds where it broke."""

    def fail_first(number: int) -> None:
        if number == 1:
            raise RuntimeError("unforeseen")

    assert len(ticks(fail_first, 2)) == 2
    assert [record.getMessage() for record in caplog.records] == ["A tick has failed."]
    assert "RuntimeError: unforeseen" in caplog.text


def test_a_stop_is_heard_between_two_jobs(tmp_path: Path) -> None:
    """What is under way is brought to its end, and nothing is begun after it."""
    make_workspace(tmp_path / "ws")
    stop, done, told = threading.Event(), list[str](), list[str]()

    def fail_as_the_stop_comes() -> None:
        stop.set()
        done.append("first")
        raise OSError("full")

    chores = (
        Chore("first", timedelta(1), fail_as_the_stop_comes),
        Chore("second", timedelta(1), lambda: done.append("second")),
    )
    context = open_context(open_workspace(tmp_path / "ws"))
    duty = ProviderSchedule(context, {}, Retries(60, 900), timedelta(1), chores)
    EmbeddedEngine(
        [duty], 60, lambda _duty, error: told.append(str(error)), lambda: done.append("alive")
    ).run(stop)
    context.engine.dispose()
    assert (done, told) == (["first"], ["full"])


def test_a_stop_ends_the_pause() -> None:
    """`systemctl stop` does not take a minute."""
    stop, began = threading.Event(), time.monotonic()
    timer = threading.Timer(PAUSE_SECONDS, stop.set)
    timer.start()
    EmbeddedEngine([], 60, nobody, lambda: None).run(stop)
    timer.join()
    assert time.monotonic() - began < 10
