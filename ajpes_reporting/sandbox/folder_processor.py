"""The processor of the exchange server's folders (section 4.2): empties `v_ajpes`, fills `iz_ajpes`.

Whatever a crash interrupts is finished at the next start, from the store.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from .faults import AFTER, INSTEAD
from .folders import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .clients import Client, Clients
    from .faults import FaultInjector, InjectedFault
    from .folders import Folders
    from .intake import Intake
    from .store import Store, Submission

_log = logging.getLogger(__name__)


class FolderProcessor:
    """Empties `v_ajpes` and fills `iz_ajpes`, in rounds of a thread of its own.

    `is_open` says of a path whether somebody is still writing there over SFTP.
    """

    def __init__(
        self,
        clients: Clients,
        intake: Intake,
        store: Store,
        faults: FaultInjector,
        is_open: Callable[[Path], bool],
        told_at: Callable[[], str],
    ) -> None:
        self._clients = clients
        self._intake = intake
        self._store = store
        self._faults = faults
        self._is_open = is_open
        self._told_at = told_at
        self._rounds = threading.Lock()
        self._left: set[tuple[int, int]] = set()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, seconds: float | None) -> None:
        """Begin to make a round every so many seconds; None leaves the rounds to the caller."""
        if seconds is not None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, args=(seconds,), name="sandbox folders")
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def finish_interrupted(self) -> None:
        """Finish whatever the last run left half done; nothing new may come in meanwhile."""
        self._store.mark_interrupted()
        for one in self._store.unvalidated():
            client = self._clients.by_number(one.provider)
            if client is not None:
                self._finish(one, client)

    def _finish(self, one: Submission, client: Client) -> None:
        name = one.file_name or ""
        accepted = client.folders.accepted(one.report) / name
        if (client.folders.incoming(one.report) / name).exists() or not accepted.exists():
            # It was entered, but not moved: the next round takes it as if for the first time.
            self._store.remove(one.id)
        else:
            self._validate(one.id, client, accepted, one.report)

    def run_once(self) -> None:
        """Process every file that waits, and publish every answer that is due."""
        with self._rounds:
            for client in self._clients:
                for report, path in client.folders.waiting():
                    if not self._is_open(path) and not self._was_copied(path):
                        self._process(client, report, path)
            self._publish_due_answers()

    def _run(self, seconds: float) -> None:
        while not self._stopping.wait(seconds):
            try:
                self.run_once()
            except Exception:
                # One bad round must not end the authority's day; the next one tries again.
                _log.exception("a round of the folders failed")

    def _process(self, client: Client, report: str, path: Path) -> None:
        submission = self._intake.receive(
            path, provider=client.provider, report=report, via="sftp", file_name=path.name
        )
        try:
            accepted = self._accept(client.folders, report, path)
        except FileNotFoundError:
            # Whoever put it there has taken it back at the last moment.
            self._store.remove(submission)
        else:
            self._validate(submission, client, accepted, report)
            if client.folders.is_out_of_sight(accepted):
                accepted.unlink()

    def _accept(self, folders: Folders, report: str, path: Path) -> Path:
        if folders.is_out_of_sight(path):
            return path
        if self._faults.take("sftp", "copy"):
            accepted = folders.copy(report, path)
            self._left.add(_identity(path))
            return accepted
        return folders.accept(report, path)

    def _was_copied(self, path: Path) -> bool:
        return bool(self._left) and _identity(path) in self._left

    def _validate(self, submission: int, client: Client, path: Path, report: str) -> None:
        name = parts_of(report, path.name)
        if name is None:
            raise AssertionError("only files with such a name are taken")
        fault = self._faults.take("sftp", "delay", "no_answer", "other_answer")
        other = fault if fault is not None and fault.kind == "other_answer" else None
        if other is not None and other.place != AFTER:
            self._publish_other_answer(client, report, f"Drugo_{submission:04d}.xml", other)
        number = client.provider.registration_number
        self._intake.validate_file(submission, number, path, report, name, _answer_due(fault))
        if other is not None and other.place == AFTER:
            self._publish_due_answers()
            self._publish_other_answer(client, report, f"Pozno_{submission:04d}.xml", other)

    def _publish_other_answer(self, client: Client, report: str, name: str, fault: InjectedFault) -> None:
        client.folders.publish_answer(report, name, self._faults.other_answer(fault))

    def _publish_due_answers(self) -> None:
        for row in self._store.answers_due(time.time()):
            client = self._clients.by_number(row["provider"])
            if client is not None:
                client.folders.publish_answer(row["report"], row["answer_name"], row["answer"])
                self._store.mark_answered(row["id"], self._told_at())


def _answer_due(fault: InjectedFault | None) -> float | None:
    # The machine's own time: a delay is a matter of the network, not of the calendar.
    if fault is None:
        return time.time()
    is_never = fault.kind == "no_answer" or (fault.kind == "other_answer" and fault.place == INSTEAD)
    return None if is_never else time.time() + (fault.seconds or 0)


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns
