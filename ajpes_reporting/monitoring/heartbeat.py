"""Whether the schedule is still at work: when it ticked last, and for how long a run has lasted."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ajpes_reporting.database.lease import Lease
    from ajpes_reporting.pipeline.context import Context

_TICKS_MISSED = 3


class Heartbeat:
    """Knows the last tick that got through, and the runs that are at work.

    `every_seconds` is the pause between two ticks, `longest_run_seconds` how long one run may last;
    `seconds` is a clock that never goes back. Used from several threads.
    """

    def __init__(
        self, every_seconds: float, longest_run_seconds: float, seconds: Callable[[], float]
    ) -> None:
        self._every = every_seconds
        self._longest_run = longest_run_seconds
        self._seconds = seconds
        self._lock = threading.Lock()
        self._runs = 0
        self._run_began = 0.0
        self._beat_at = self._stirred_at = seconds()
        self._worked_since_beat = self._worked_since_stir = 0.0

    def beat(self) -> None:
        """A tick got through."""
        with self._lock:
            self._beat_at, self._worked_since_beat = self._seconds(), 0.0
        self.stir()

    def stir(self) -> None:
        """Something came to its end, well or badly: the schedule does not hang."""
        with self._lock:
            self._stirred_at, self._worked_since_stir = self._seconds(), 0.0

    def watch(self, context: Context) -> Context:
        """Returns the same context, with each of its runs known here while it lasts."""

        @contextmanager
        def exclusive() -> Iterator[Lease]:
            with context.exclusive() as hold, self._at_work():
                yield hold

        return replace(context, exclusive=exclusive)

    def complaint(self) -> str:
        """Why the schedule is not well; empty if it is. Time spent in runs does not count as silence."""
        with self._lock:
            return self._of_the_run() or self._of_silence(
                self._beat_at, self._worked_since_beat, "got through"
            )

    def hangs(self) -> bool:
        """Whether nothing has come to its end for too long. A tick that fails each time does not hang."""
        with self._lock:
            silence = self._of_silence(self._stirred_at, self._worked_since_stir, "ended")
            return bool(self._of_the_run() or silence)

    def seconds_since_beat(self) -> float:
        """Returns the seconds since a tick got through."""
        with self._lock:
            return self._seconds() - self._beat_at

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._lock:
            if self._runs == 0:
                self._run_began = self._seconds()
            self._runs += 1
        try:
            yield
        finally:
            with self._lock:
                self._runs -= 1
                if self._runs == 0:
                    self._count(self._seconds())

    def _count(self, now: float) -> None:
        self._worked_since_beat += now - max(self._run_began, self._beat_at)
        self._worked_since_stir += now - max(self._run_began, self._stirred_at)

    def _of_the_run(self) -> str:
        lasted = self._seconds() - self._run_began if self._runs else 0.0
        return f"a run has lasted for {lasted:.0f} seconds" if lasted > self._longest_run else ""

    def _of_silence(self, since: float, worked: float, what: str) -> str:
        now = self._seconds()
        if self._runs:
            worked += now - max(self._run_began, since)
        silent = now - since
        return f"no tick has {what} for {silent:.0f} seconds" if silent - worked >= self._allowed() else ""

    def _allowed(self) -> float:
        return _TICKS_MISSED * self._every
