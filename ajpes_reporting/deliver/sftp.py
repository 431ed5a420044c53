"""SFTP: a report into v_ajpes, its answer from iz_ajpes (instruction, section 4.2).

A report is written under another name and renamed when it is whole; the plain rename of SFTP
does not overwrite, which is our guard against a duplicate. What happened when the line broke in
the rename is settled by looking: as long as the file under the other name is still there for us
to take away, the report has not arrived, and cannot arrive any more.
"""

from __future__ import annotations

import hashlib
import logging
import posixpath
import re
import secrets
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.deliver import listing
from ajpes_reporting.deliver.client import refused
from ajpes_reporting.deliver.session import TROUBLE, SftpServer, SftpSessions, describe
from ajpes_reporting.domain.errors import NotDelivered, UsageError
from ajpes_reporting.domain.outcomes import Delivered, Outcome, Unknown, Unreachable
from ajpes_reporting.domain.ports import (
    HandOver,
    Parcel,
    Progress,
    RemoteAnswer,
    RemoteReport,
    Sighting,
    no_progress,
    no_record,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import paramiko

    from ajpes_reporting.deliver.client import Client

__all__ = ["SftpCarrier", "SftpServer"]

_log = logging.getLogger(__name__)

_UNFINISHED = (".part", ".tmp")


class SftpCarrier:
    """Delivers reports to the exchange server, and fetches the answers from there.

    Raises `ConfigurationError` at once if the private key or the pinned host key cannot be used.
    """

    name = "sftp"

    def __init__(self, server: SftpServer) -> None:
        self._server = server
        self._sessions = SftpSessions(server)

    def deliver(
        self, parcel: Parcel, progress: Progress = no_progress, hand_over: HandOver = no_record
    ) -> Outcome:
        """Puts the report into v_ajpes under its name, or says why it is not there.

        Raises `UsageError` if the file is not the parcel's.
        """
        if parcel.path.stat().st_size != parcel.size_bytes:
            raise UsageError(f"{parcel.path} has changed since it was prepared. Nothing was sent.")
        journey = self._journey(parcel)
        try:
            with self._sessions.open() as sftp:
                if (outcome := _look_first(sftp, journey)) is not None:
                    return outcome
                _clear_leftovers(sftp, journey)
                self._upload(sftp, journey, progress, hand_over)
                trouble = _rename(sftp, journey)
        except NotDelivered as error:
            return Unreachable(error.message, error.remedy)
        return self._settle(journey, trouble) if trouble else Delivered(detail=f"put into {journey.final}")

    def fetch_new(
        self, report: str, already_fetched: Callable[[RemoteAnswer], bool], into: Path
    ) -> Iterator[tuple[RemoteAnswer, Path]]:
        """Yields every answer not fetched before, the oldest first, copied whole into `into`.

        A file that is still being written is left for the next time. Nothing is removed there.
        Raises `NotDelivered` if the folder cannot be reached or read, saying why.
        """
        into.mkdir(parents=True, exist_ok=True)
        folder = self._folder(report, "iz_ajpes")
        with self._sessions.open() as sftp:
            for remote, name in _listed(sftp, folder, report):
                if already_fetched(remote):
                    continue
                local = self._fetch(sftp, posixpath.join(folder.encode(), name), remote, into)
                if local is not None:
                    yield remote, local

    def look(self, parcel: Parcel, waits_as: str) -> Sighting:
        """Looks whether a parcel has arrived, and takes back what still waits as `waits_as`.

        Raises `NotDelivered` if the folders cannot be reached, saying why.
        """
        journey = self._journey(parcel)
        with self._sessions.open() as sftp:
            # Taking it back comes first: from then on, a rename still under way must fail.
            waiting = posixpath.join(posixpath.dirname(journey.final), posixpath.basename(waits_as))
            was_waiting = bool(waits_as) and _take_away(sftp, waiting)
            for path in (journey.final, journey.accepted):
                if _is_ours(sftp, path, parcel):
                    return Sighting(path, was_waiting)
        return Sighting(was_waiting=was_waiting)

    def reports_named(self, report: str, file_name: str) -> list[RemoteReport]:
        """What lies under that name in v_ajpes and in accepted; a size or time that is not told counts as 0.

        Raises `NotDelivered` if the folders cannot be reached, saying why.
        """
        paths = [posixpath.join(self._folder(report, name), file_name) for name in ("v_ajpes", "accepted")]
        with self._sessions.open() as sftp:
            states = [(path, _state(sftp, path)) for path in paths]
        return [RemoteReport(path, state[0] or 0, state[1] or 0) for path, state in states if state]

    def reach(self) -> str:
        """Says how the server is reached and what both sides agreed on; leaves nothing there.

        Raises `NotDelivered` with the reason if it is not, or if a folder is missing.
        """
        with self._sessions.open() as sftp:
            for report in ("nodurs", "spapp"):
                sftp.stat(self._folder(report, "v_ajpes"))
                list(listing.entries(sftp, self._folder(report, "iz_ajpes")))
            return describe(sftp)

    def _folder(self, report: str, name: str) -> str:
        return posixpath.join(self._server.folder, report, name)

    def _journey(self, parcel: Parcel) -> _Journey:
        inbox = self._folder(parcel.report, "v_ajpes")
        return _Journey(
            parcel,
            final=posixpath.join(inbox, parcel.file_name),
            # Never a name that ends in .xml: the authority must not take half a file.
            part=posixpath.join(inbox, f"{parcel.file_name}.{secrets.token_hex(4)}.part"),
            accepted=posixpath.join(self._folder(parcel.report, "accepted"), parcel.file_name),
        )

    def _upload(self, sftp: Client, journey: _Journey, progress: Progress, hand_over: HandOver) -> None:
        """Writes the part file whole; if it may not stay it is taken away again, as far as possible."""
        try:
            self._write(sftp, journey, progress)
            arrived = sftp.stat(journey.part).st_size
            if arrived != journey.parcel.size_bytes:
                raise NotDelivered(
                    f"{arrived:,} instead of {journey.parcel.size_bytes:,} bytes arrived on the server.",
                    "Ask the authority whether its disk or our share of it is full.",
                )
            journey.accepted_before = _state(sftp, journey.accepted)
            hand_over(posixpath.basename(journey.part))
        except (*TROUBLE, NotDelivered):
            self._clear_away(journey)
            raise

    def _write(self, sftp: Client, journey: _Journey, progress: Progress) -> None:
        block_bytes = min(self._server.largest_write_bytes, sftp.largest_write_bytes)
        with journey.parcel.path.open("rb") as report, sftp.open(journey.part, "wx") as remote:
            remote.MAX_REQUEST_SIZE = block_bytes
            # Without waiting for each block's receipt; close() waits for those still missing.
            remote.set_pipelined(True)
            while block := report.read(block_bytes):
                remote.write(block)
                progress(len(block))

    def _clear_away(self, journey: _Journey) -> None:
        try:
            with self._sessions.open() as sftp:
                _take_away(sftp, journey.part)
        except NotDelivered as error:
            _log.warning("%s was left behind on the server: %s", journey.part, error.message)

    def _settle(self, journey: _Journey, trouble: Exception) -> Outcome:
        """The rename was asked for, and it is not certain what came of it: look, once."""
        try:
            with self._sessions.open() as sftp:
                return _look_after(sftp, journey, trouble)
        except NotDelivered as error:
            return _unknown(journey, f"and the server could not be asked again. {error.message}")

    def _fetch(self, sftp: Client, path: bytes, remote: RemoteAnswer, into: Path) -> Path | None:
        if remote.size_bytes > self._server.largest_answer_bytes:
            _log.warning("%r has %d bytes, too many to fetch", path, remote.size_bytes)
            return None
        local = into / _local_name(remote)
        unfinished = local.with_name(local.name + ".part")
        try:
            is_whole = _download(sftp, path, remote, unfinished)
        except OSError as error:
            if not refused(error):
                raise
            _log.warning("%r cannot be fetched: %s", path, error)
            is_whole = False
        if is_whole:
            return unfinished.rename(local)
        unfinished.unlink(missing_ok=True)
        return None


@dataclass(slots=True)
class _Journey:
    """One parcel and the paths it takes on the server."""

    parcel: Parcel
    final: str
    part: str
    accepted: str
    # A file of this name that was accepted earlier is not taken for this one.
    accepted_before: tuple[int | None, int | None] | None = None


def _look_first(sftp: Client, journey: _Journey) -> Outcome | None:
    if _state(sftp, journey.final) is None:
        return None
    if _is_ours(sftp, journey.final, journey.parcel):
        return Delivered(detail=f"{journey.final} was already there, the same bytes")
    return _taken(journey)


def _clear_leftovers(sftp: Client, journey: _Journey) -> None:
    """What killed runs have left of this report. One that is only paused finds its file gone, too."""
    folder, name = posixpath.split(journey.final)
    ours = re.compile(rf"{re.escape(name)}\.[0-9a-f]{{8}}\.part".encode())
    for found, _attributes in listing.entries(sftp, folder):
        if ours.fullmatch(found):
            _take_away(sftp, posixpath.join(folder, found.decode("ascii")))


def _rename(sftp: Client, journey: _Journey) -> Exception | None:
    """Gives the file its final name; what went wrong is returned, for it is not yet a failure."""
    try:
        sftp.rename(journey.part, journey.final)
    except TROUBLE as error:
        return error
    return None


def _look_after(sftp: Client, journey: _Journey, trouble: Exception) -> Outcome:
    # Taking the part file away comes first: from then on, a rename still under way must fail.
    was_still_there = _take_away(sftp, journey.part)
    if _is_ours(sftp, journey.final, journey.parcel):
        return Delivered(detail=f"{journey.final} is there, though the connection broke")
    now_accepted = _state(sftp, journey.accepted)
    if now_accepted != journey.accepted_before and _is_ours(sftp, journey.accepted, journey.parcel):
        return Delivered(detail=f"the authority has taken it already: {journey.accepted}")
    if not was_still_there:
        return _unknown(journey, "and it is neither in v_ajpes nor in accepted.")
    if _state(sftp, journey.final) is not None:
        return _taken(journey)
    return Unreachable(
        f"The server did not give {journey.final} its name ({trouble}); the upload was taken back.",
        "Run it again.",
    )


def _taken(journey: _Journey) -> Unreachable:
    return Unreachable(
        f"{journey.final} is already there, and it is another file. It was not touched.",
        "Wait until the authority has taken that file, or ask it to remove it; then run again.",
    )


def _unknown(journey: _Journey, what: str) -> Unknown:
    return Unknown(
        f"The connection broke while {journey.final} was getting its name, {what}",
        "Do not send it again before this is settled: wait for the authority's answer, or ask it, "
        "then say so with `ajpes-reporting resolve`.",
    )


def _state(sftp: Client, path: str | bytes) -> tuple[int | None, int | None] | None:
    """Size in bytes and time of change of a file; None if there is none."""
    try:
        found = sftp.stat(path)
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime


def _take_away(sftp: Client, path: str) -> bool:
    try:
        sftp.remove(path)
    except FileNotFoundError:
        return False
    return True


def _is_ours(sftp: Client, path: str, parcel: Parcel) -> bool:
    state = _state(sftp, path)
    if state is None or state[0] != parcel.size_bytes:
        return False
    digest = hashlib.sha256()
    try:
        for block in sftp.blocks(path, parcel.size_bytes):
            digest.update(block)
    except FileNotFoundError:
        return False
    return digest.hexdigest() == parcel.sha256


def _listed(sftp: Client, folder: str, report: str) -> list[tuple[RemoteAnswer, bytes]]:
    """The files of a folder, the oldest first, each with its name as the server has it."""
    answers = [
        (RemoteAnswer(report, each.filename, each.st_size or 0, each.st_mtime or 0), name)
        for name, each in listing.entries(sftp, folder)
        if _may_be_answer(each)
    ]
    return sorted(answers, key=lambda each: (each[0].modified_at, each[0].name))


def _may_be_answer(entry: paramiko.SFTPAttributes) -> bool:
    if "/" in entry.filename:
        _log.warning("The server lists %r, which is no file name; it was passed over", entry.filename)
        return False
    is_file = entry.st_mode is None or stat.S_ISREG(entry.st_mode)
    return is_file and not entry.filename.lower().endswith(_UNFINISHED)


def _download(sftp: Client, path: bytes, remote: RemoteAnswer, to: Path) -> bool:
    """Copies a file; False if it is not the file that was listed, because it is being written."""
    written = 0
    with to.open("wb") as local:
        for block in sftp.blocks(path, remote.size_bytes):
            written += local.write(block)
    return written == remote.size_bytes and _state(sftp, path) == (remote.size_bytes, remote.modified_at)


def _local_name(remote: RemoteAnswer) -> str:
    """A name that is harmless on this machine, and another one for every other remote file."""
    identity = f"{remote.report}\n{remote.name}\n{remote.size_bytes}\n{remote.modified_at}"
    mark = hashlib.sha256(identity.encode()).hexdigest()[:12]
    return f"{mark}-{re.sub(r'[^A-Za-z0-9._-]', '_', remote.name)[-80:]}"
