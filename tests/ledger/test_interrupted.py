"""An import that is killed leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ajpes_reporting.ledger.kinds import EVENTS

if TYPE_CHECKING:
    from tests.ledger.conftest import Ledger

ROWS = 20_000
PROGRAM = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from datetime import UTC, datetime
    import ajpes_reporting.ledger.events as events
    from ajpes_reporting.database.engine import open_engine
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.files import import_files

    url, path, moment = sys.argv[1:]

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    if moment == "merged":  # everything is written, and nothing committed
        events.wrong_cancellations = die
    import_files(
        open_engine(url), "5860571000", [Path(path)], RuleSettings(),
        die if moment == "staged" else lambda _rows: None, now=datetime(2101, 1, 1, tzinfo=UTC),
    )
    """
)

# The second batch takes a second, in which somebody presses Ctrl-C three times.
IMPATIENT = textwrap.dedent(
    """
    import signal, sys, threading, time
    from datetime import UTC, datetime
    from itertools import count
    from pathlib import Path
    from ajpes_reporting.database.engine import open_engine
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.events import MergeEvents
    from ajpes_reporting.ledger.files import import_files

    url, path = sys.argv[1:]
    take, calls, at_work, ended = MergeEvents.take, count(), threading.Event(), threading.Event()

    def slowly(merge, rows):
        if next(calls) == 1:
            at_work.set()
            time.sleep(1)
            take(merge, rows)
            ended.set()
        else:
            take(merge, rows)

    def press():
        at_work.wait()
        for _ in range(3):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            time.sleep(0.2)

    MergeEvents.take = slowly
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored
    threading.Thread(target=press, daemon=True).start()
    try:
        import_files(
            open_engine(url), "5860571000", [Path(path)], RuleSettings(), lambda _rows: None,
            now=datetime(2101, 1, 1, tzinfo=UTC),
        )
    except KeyboardInterrupt:
        print("the batch at work has ended" if ended.is_set() else "it is still at work")
    """
)


@pytest.mark.parametrize("moment", ["staged", "merged"])
def test_a_killed_import_leaves_nothing(ledger: Ledger, database_url: str, moment: str) -> None:
    """A power cut in the middle means importing again, not searching for half a file."""
    ledger.take(EVENTS, {"obligation_id": "O-1"})
    before = ledger.content()
    path = ledger.file(EVENTS, *({"event_id": str(number)} for number in range(ROWS)))
    ended = _run(PROGRAM, database_url, path, moment)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert ledger.content() == before
    assert ledger.take_files(path)[0].rows_new == ROWS


def test_an_impatient_person_cannot_free_the_connection_before_it_is_free(
    ledger: Ledger, database_url: str
) -> None:
    """Ctrl-C again and again: what is at work ends first, or SQLite would be closed under it and crash."""
    before = ledger.content()
    path = ledger.file(EVENTS, *({"event_id": str(number)} for number in range(ROWS)))
    ended = _run(IMPATIENT, database_url, path)
    assert (ended.returncode, ended.stdout) == (0, b"the batch at work has ended\n"), ended.stderr.decode()
    assert ledger.content() == before


def _run(program: str, *words: str | Path) -> subprocess.CompletedProcess[bytes]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, check=False,
    )  # fmt: skip
