"""One worker process of the simulated year: `python -m tests.schedule.worker FOLDER CLOCK EVERY SILENT`."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from datetime import datetime
from pathlib import Path

from ajpes_reporting.schedule.provider_schedule import ProviderSchedule
from ajpes_reporting.schedule.tick import Done
from ajpes_reporting.schedule.workers import WorkersEngine
from ajpes_reporting.unattended import open_installation


def main(folder: str, clock_file: str, every_seconds: str, silent_seconds: str) -> None:
    """Works by a clock that stands in a file, until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    installation = open_installation(Path(folder), lambda: read_clock(Path(clock_file)))
    engine = WorkersEngine(
        installation.duties, float(every_seconds), tell, lambda: None, float(silent_seconds)
    )
    engine.run(stop)


def read_clock(path: Path) -> datetime:
    """The simulated time."""
    return datetime.fromisoformat(path.read_text(encoding="ascii"))


def tell(_duty: ProviderSchedule, done: Done | Exception) -> None:
    """What was done, one line each, for whoever looks for the reason of a failure."""
    what = repr(done) if isinstance(done, Exception) else f"{done.kind.code} {done.period.key} {done.ending}"
    print(f"{datetime.now():%H:%M:%S.%f} {what}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
