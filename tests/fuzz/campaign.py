"""Plays many inputs, and keeps those that crash or take too long."""

from __future__ import annotations

import logging
import random
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from .targets import TARGETS, Crash, Target

_MEMORY = Path("/dev/shm")  # a disk would be asked for a receipt of every answer
LONGEST_SECONDS = 1.0
_HANGS_AFTER_SECONDS = 60


@dataclass
class Trouble:
    """An input that must not be, and where it is kept."""

    number: int
    reason: str
    content: bytes = field(repr=False)


@dataclass
class Report:
    """What came of a campaign. Seconds are those of the processor: others may be at work on this machine."""

    target: str
    inputs: int = 0
    slowest_seconds: float = 0.0
    seconds: float = 0.0
    crashes: list[Trouble] = field(default_factory=list)
    slow: list[Trouble] = field(default_factory=list)


def play(name: str, inputs: int, seed: int, progress: Callable[[], object] = lambda: None) -> Report:
    """Feeds a target so many inputs; those of one seed are always the same. Ctrl-C ends it early."""
    report = Report(name)
    with _playground(name) as target, suppress(KeyboardInterrupt):
        for number in range(inputs):
            dice = random.Random(f"{name} {seed} {number}")
            _play_one(target, target.document(dice), number, report)
            progress()
    return report


def again(name: str, content: bytes) -> Report:
    """Feeds a target one input that was kept."""
    report = Report(name)
    with _playground(name) as target:
        _play_one(target, content, 0, report)
    return report


@contextmanager
def _playground(name: str) -> Iterator[Target]:
    logging.disable(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
            yield TARGETS[name](Path(folder))
    finally:
        logging.disable(logging.NOTSET)


def _play_one(target: Target, content: bytes, number: int, report: Report) -> None:
    begun = time.process_time()
    try:
        with _watched():
            target.play(content)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = "" if isinstance(error, Crash) else f" in {Path(where.filename).name}:{where.lineno}"
        report.crashes.append(Trouble(number, f"{type(error).__name__}: {str(error)[:200]}{place}", content))
    used = time.process_time() - begun
    report.inputs += 1
    report.seconds += used
    report.slowest_seconds = max(report.slowest_seconds, used)
    if used > LONGEST_SECONDS:
        report.slow.append(Trouble(number, f"it took {used:.1f} seconds", content))


@contextmanager
def _watched() -> Iterator[None]:
    """Ends what never ends."""

    def hangs(*_given: object) -> None:
        raise Crash("it does not end")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(_HANGS_AFTER_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
