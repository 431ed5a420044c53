"""The worker: one process that opens a context and does what is due, as the schedule would. It may be killed.

It is forked from a process that has loaded everything already, so that starting one costs little.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ajpes_reporting import wiring
from ajpes_reporting.config import open_workspace
from ajpes_reporting.database import lease
from ajpes_reporting.schedule.tick import do, tick
from ajpes_reporting.unattended import open_duty

from . import faults, naive

if TYPE_CHECKING:
    from collections.abc import Callable

    from ajpes_reporting.schedule.provider_schedule import ProviderSchedule

    from .faults import Strike

_LONGEST_PAUSE_SECONDS = 0.02
_PATIENCE_SECONDS = 0.5
_LONGEST_LIFE_SECONDS = 25.0
_MOST_PROCESSOR_SECONDS = 6  # some hundredths of one are the rule
LOG = "workers.log"
STEPS = "steps.json"


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is told: where it works, what time it is, what will happen to it.

    `longest_run_seconds` is after how long without a sign of life another may take its place.
    """

    folder: Path
    now: datetime
    strike: Strike | None = None
    naive: str = ""
    writes_steps: bool = False
    longest_run_seconds: float = 3600.0


def start(order: Order, work: Callable[[ProviderSchedule], None] | None = None) -> int:
    """Forks a worker that does `work`, else what is due; gives its process id."""
    if (process := os.fork()) == 0:
        _live(order, work or _tick)
    return process


def rehearse(order: Order) -> None:
    """Does a worker's work in this process, so that those forked from it find everything loaded and warm."""
    duty = open_duty(open_workspace(order.folder), lambda: order.now.astimezone(UTC))
    for _ in tick([duty], do):
        pass
    duty.context.engine.dispose()


def wait(process: int) -> str:
    """Waits until a worker has ended or has been stopped; says "0" or what ended it.

    One that does not come to an end is killed ("hangs"), and so is one that takes too much of the processor
    ("toils").
    """
    ended = wait_for(process, _LONGEST_LIFE_SECONDS)
    if not ended:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    return ended or "hangs"


def wait_for(process: int, seconds: float) -> str:
    """The same, but not for long; empty if the worker is still at work."""
    give_up = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(process, os.WNOHANG | os.WUNTRACED)
        if found:
            return _told(status)
        if time.monotonic() > give_up:
            return ""
        time.sleep(0.002)


def _told(status: int) -> str:
    if os.WIFSTOPPED(status):
        return "stopped"
    if not os.WIFSIGNALED(status):
        return str(os.WEXITSTATUS(status))
    return "toils" if os.WTERMSIG(status) == signal.SIGXCPU else "killed"


def _live(order: Order, work: Callable[[ProviderSchedule], None]) -> NoReturn:
    """A worker's whole life. It leaves without the clean-up of the process it was forked from."""
    code = 1
    gc.disable()
    try:
        _redirect(order.folder.parent / LOG)
        resource.setrlimit(resource.RLIMIT_CPU, (_MOST_PROCESSOR_SECONDS, _MOST_PROCESSOR_SECONDS + 2))
        steps = faults.Steps(order.strike, order.folder)
        _hurry(order.longest_run_seconds)
        naive.become(order.naive)
        duty = open_duty(open_workspace(order.folder), lambda: order.now.astimezone(UTC))
        faults.watch(steps)
        work(duty)
        if order.writes_steps:
            steps.write_down(order.folder.parent / STEPS)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _tick(duty: ProviderSchedule) -> None:
    for _duty, done in tick([duty], do):
        told = getattr(done, "ending", None) or repr(done)
        sys.stderr.write(f"{duty.context.clock():%H:%M} {told}\n")


def _hurry(longest_run_seconds: float) -> None:
    """Pauses are for people and for networks; here they would only cost time."""
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, _LONGEST_PAUSE_SECONDS))
    lease._PATIENCE_SECONDS = _PATIENCE_SECONDS
    wiring.context.lease = lambda engine, provider, _setting: lease.lease(
        engine, provider, longest_run_seconds
    )


def _redirect(path: Path) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for handle in (1, 2):
        os.dup2(log, handle)
