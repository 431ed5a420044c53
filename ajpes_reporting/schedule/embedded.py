"""The engine for one machine: a loop in this process that does each job at once."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.pipeline.run import Result
from ajpes_reporting.schedule.tick import Done, do, tick

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ajpes_reporting.schedule.provider_schedule import ProviderSchedule

_log = logging.getLogger(__name__)


class EmbeddedEngine:
    """Ticks at once and then every `every_seconds`, measured by a clock that nobody can set.

    Ticks that fall due while another is at work are left out: the next one finds in the table all
    that they would have found. `tell` is given what became of each job, `alive` is called after
    each tick that got through.
    """

    def __init__(
        self,
        duties: Sequence[ProviderSchedule],
        every_seconds: float,
        tell: Callable[[ProviderSchedule, Done | Exception], None],
        alive: Callable[[], None],
    ) -> None:
        self._duties = duties
        self._every_seconds = every_seconds
        self._tell = tell
        self._alive = alive

    def run(self, stop: threading.Event) -> None:
        """Ticks until `stop` is set; a report that is on its way is brought to its end first.

        The ticks have a thread of their own. A signal's handler runs in the calling one, where it must
        not meet a lock that it holds already: that of `stop`, of the log, or of the database.
        """
        ticking = threading.Thread(target=self._tick_until, args=(stop,), name="ticks")
        ticking.start()
        ticking.join()

    def _tick_until(self, stop: threading.Event) -> None:
        began = time.monotonic()
        while not stop.is_set():
            try:
                self._tick(stop)
            except Exception:
                # Whatever it was, the reports of tomorrow are still to be sent.
                _log.exception("A tick has failed.")
            stop.wait(self._every_seconds - (time.monotonic() - began) % self._every_seconds)

    def _tick(self, stop: threading.Event) -> None:
        got_through = True
        for duty, done in tick(self._duties, do):
            self._tell(duty, done)
            # The database is away, or the disk is full. What is due stays in the table.
            got_through &= isinstance(done, Result | AjpesReportingError)
            if stop.is_set():
                return
        if got_through:
            self._alive()
