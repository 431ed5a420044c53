"""The provider's folders on the exchange server, and who empties and fills them (section 4.2).

A file never disappears from sight: it moves from `v_ajpes` to `accepted` in one step, whatever
the verdict will be. What a crash interrupts is finished at the next start, from the book.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .faults import AFTER, INSTEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .clients import Client, Clients
    from .faults import FaultInjector, InjectedFault
    from .intake import Intake
    from .store import Store, Submission

_log = logging.getLogger(__name__)

# Sections 2.1 and 3.1.
_NAMES = {
    "nodurs": re.compile(r"NODURS_(\d{4})(\d{2})(\d{2})_(\d{7})\.xml", re.ASCII),
    "spapp": re.compile(r"SPAPP_(\d{4})(\d{2})_(\d{7})\.xml", re.ASCII),
}
_IN_SIGHT, _OUT_OF_SIGHT = "in sight", "out of sight"
# How an upload is called while it is under way.
_UNDER_WAY = re.compile(r"(?P<final>[^.]+\.xml)(\..+)?", re.ASCII)


class NameParts(NamedTuple):
    """What a file name says: period (YYYY-MM-DD or YYYYMM) and the provider's seven digits."""

    period: str
    provider: str


@dataclass(frozen=True, slots=True)
class Folders:
    """The tree of one provider: `nodurs` and `spapp`, each with v_ajpes, accepted and iz_ajpes."""

    root: Path

    def make(self) -> None:
        for report in _NAMES:
            for name in ("v_ajpes", "accepted", "iz_ajpes"):
                (self.root / report / name).mkdir(parents=True, exist_ok=True)
            for place in (_IN_SIGHT, _OUT_OF_SIGHT):
                (self._swept(report) / place).mkdir(parents=True, exist_ok=True)

    def incoming(self, report: str) -> Path:
        return self.root / report / "v_ajpes"

    def accepted(self, report: str) -> Path:
        return self.root / report / "accepted"

    def outgoing(self, report: str) -> Path:
        return self.root / report / "iz_ajpes"

    def waiting(self) -> Iterator[tuple[str, Path]]:
        """Reports that have come in, each with its kind; files with other names are left alone."""
        for report in _NAMES:
            swept = self._swept(report).glob("*/*/*")
            for path in sorted((*self.incoming(report).iterdir(), *swept)):
                if parts_of(report, path.name) and path.is_file() and not path.is_symlink():
                    yield report, path

    def sweep(self, path: Path, *, shown: bool) -> None:
        """Takes a report away at once, whatever its name says of how far it has come.

        `shown`: it will lie in `accepted`. Anything but a report stays where it is.
        """
        report, match = path.parent.parent.name, _UNDER_WAY.fullmatch(path.name)
        if path.parent != self.incoming(report) or match is None or not parts_of(report, match["final"]):
            return
        place = self._swept(report) / (_IN_SIGHT if shown else _OUT_OF_SIGHT)
        path.rename(Path(tempfile.mkdtemp(dir=place)) / match["final"])

    def is_out_of_sight(self, path: Path) -> bool:
        """Whether a file that waits was swept away to be seen nowhere."""
        return path.parent.parent.name == _OUT_OF_SIGHT

    def copy(self, report: str, path: Path) -> Path:
        """Copies a file to `accepted`, as a whole or not at all, and leaves it where it is."""
        whole = self._swept(report) / path.name
        shutil.copy2(path, whole)
        return self.accept(report, whole)

    def accept(self, report: str, path: Path) -> Path:
        """Moves a file to `accepted`. An earlier one of that name steps aside, with a suffix."""
        target = self.accepted(report) / path.name
        if target.exists():
            target.rename(_free_name(target))
        return path.rename(target)

    def publish_answer(self, report: str, name: str, answer: bytes) -> None:
        """Puts an answer out, as a whole or not at all."""
        unfinished = self.root.parent / f"{name}.new"
        unfinished.write_bytes(answer)
        unfinished.replace(self.outgoing(report) / name)

    def _swept(self, report: str) -> Path:
        """Where no login over SFTP can look."""
        return self.root.parent.with_name("swept") / self.root.name / report


def parts_of(report: str, file_name: str) -> NameParts | None:
    """What the name of a report file says; None for any other name."""
    match = _NAMES[report].fullmatch(file_name)
    if match is None:
        return None
    year, month, *day, provider = match.groups()
    try:
        date(int(year), int(month), int(day[0]) if day else 1)
    except ValueError:
        return None
    return NameParts(f"{year}-{month}-{day[0]}" if day else f"{year}{month}", provider)


def _free_name(path: Path) -> Path:
    number = 1
    while (free := path.with_name(f"{path.stem}_{number:04d}{path.suffix}")).exists():
        number += 1
    return free


class FolderProcessor:
    """Empties `v_ajpes` and fills `iz_ajpes`, again and again in a thread of its own.

    `is_open` tells of a path whether somebody is still writing there over SFTP.
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
        """Makes a round every so many seconds; None leaves the rounds to the caller."""
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
        """Settles what the last run left half done; nothing new may come in meanwhile."""
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
        """Processes every file that waits, and puts out every answer that is due."""
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


def rename_without_overwriting(old: bytes, new: bytes) -> None:
    """Renames as OpenSSH's server does: `FileExistsError` if the new name is taken."""
    os.link(old, new, follow_symlinks=False)
    os.unlink(old)  # noqa: PTH108 -- SFTP paths are bytes
