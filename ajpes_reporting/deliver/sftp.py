"""SFTP: a report into v_ajpes, its answer from iz_ajpes (instruction, section 4.2).

A report is written under another name and renamed when it is whole; the plain rename of SFTP
does not overwrite, which is our guard against a duplicate. What became of it is settled by looking,
whatever the server says: as long as the file under the other name is still there for us to take
away, the report has not arrived, and cannot arrive any more. A whole file that is gone may have.
"""

from __future__ import annotations

import hashlib
import logging
import posixpath
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.deliver import listing
from ajpes_reporting.deliver.box import Box
from ajpes_reporting.deliver.client import refused
from ajpes_reporting.deliver.remote import Removal, find, find_by_content, glimpse, holds, search, take_away
from ajpes_reporting.deliver.session import SftpServer, SftpSessions, describe
from ajpes_reporting.domain.errors import NotDelivered, UsageError
from ajpes_reporting.domain.outcomes import Delivered, Outcome, Unknown, Unreachable
from ajpes_reporting.domain.ports import (
    HandOver,
    Inspection,
    LastCall,
    Parcel,
    Progress,
    RemoteAnswer,
    RemoteReport,
    Sighting,
    no_progress,
    no_record,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from ajpes_reporting.deliver.box import Found
    from ajpes_reporting.deliver.client import Client
    from ajpes_reporting.deliver.remote import State

__all__ = ["SftpCarrier", "SftpServer"]

_log = logging.getLogger(__name__)

_PART = ".part"
# A server that gives a name by and by gets this much time for it.
_PAUSES = (0.2, 0.5, 1.0)


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
                self._clear_leftovers(sftp, journey)
                return self._hand_in(sftp, journey, progress, hand_over)
        except NotDelivered as error:
            if journey.may_be_whole:
                return self._settle(journey, error)
            if journey.begun:
                self._clear_away(journey)
            return Unreachable(error.message, error.remedy)

    def fetch_new(
        self,
        report: str,
        already_fetched: Callable[[Sequence[RemoteAnswer]], Collection[RemoteAnswer]],
        into: Path,
    ) -> Iterator[tuple[RemoteAnswer, Path]]:
        """Yields every answer not fetched before, the oldest first, copied whole into `into`.

        `already_fetched` is asked for many at once. A file that is still being written is left for the next
        time. Nothing is removed there.
        Raises `NotDelivered` if the folder cannot be reached or read, saying why, or if there was no end to
        it; then what was found is yielded first.
        """
        into.mkdir(parents=True, exist_ok=True)
        folder = self._folder(report, "iz_ajpes")
        with self._sessions.open() as sftp:
            box = Box(sftp, folder, report, self._server.listing)
            for found in box.new(already_fetched):
                if (local := self._fetch(box, found, into)) is not None:
                    yield found.remote, local
            box.tell_what_was_left()

    def look(self, parcel: Parcel, waits_as: str) -> Sighting:
        """Looks whether a parcel has arrived, and takes back what still waits as `waits_as`.

        Raises `NotDelivered` if the folders cannot be reached, saying why.
        """
        journey = self._journey(parcel)
        with self._sessions.open() as sftp:
            # Taking it back comes first: from then on, a rename still under way must fail.
            waiting = posixpath.join(posixpath.dirname(journey.final), posixpath.basename(waits_as))
            was_waiting = bool(waits_as) and take_away(sftp, waiting) is Removal.TAKEN_AWAY
            for path in (journey.final, journey.accepted):
                if holds(sftp, path, parcel):
                    return Sighting(path, was_waiting)
            place = find_by_content(sftp, posixpath.dirname(journey.accepted), parcel) or find_by_content(
                sftp, posixpath.dirname(journey.final), parcel, but_for=_PART.encode()
            )
        return Sighting(place, was_waiting)

    def strange_reports(self, report: str, file_name: str, ours: Sequence[Parcel]) -> list[RemoteReport]:
        """What lies under that name in v_ajpes and in accepted, and has the bytes of none of ours.

        A size or time that is not told counts as 0. Raises `NotDelivered` if the folders cannot be reached,
        saying why.
        """
        paths = [posixpath.join(self._folder(report, name), file_name) for name in ("v_ajpes", "accepted")]
        with self._sessions.open() as sftp:
            return [
                RemoteReport(path, state.size_bytes or 0, state.modified_at or 0)
                for path in paths
                if (state := find(sftp, path)) is not None and _is_strange(sftp, path, state, ours)
            ]

    def inspect(self) -> Inspection:
        """Says how the server is reached and what both sides agreed on; leaves nothing there.

        Raises `NotDelivered` with the reason if it is not, or if a folder is missing.
        """
        with self._sessions.open() as sftp:
            for report in ("nodurs", "spapp"):
                sftp.stat(self._folder(report, "v_ajpes"))
                for _entry in listing.entries(sftp, self._folder(report, "iz_ajpes"), self._server.listing):
                    pass
            return Inspection(describe(sftp))

    def _folder(self, report: str, name: str) -> str:
        return posixpath.join(self._server.folder, report, name)

    def _journey(self, parcel: Parcel) -> _Journey:
        inbox = self._folder(parcel.report, "v_ajpes")
        return _Journey(
            parcel,
            final=posixpath.join(inbox, parcel.file_name),
            # Never a name that ends in .xml: the authority must not take half a file.
            part=posixpath.join(inbox, f"{parcel.file_name}.{secrets.token_hex(4)}{_PART}"),
            accepted=posixpath.join(self._folder(parcel.report, "accepted"), parcel.file_name),
        )

    def _hand_in(self, sftp: Client, journey: _Journey, progress: Progress, hand_over: HandOver) -> Outcome:
        """Writes the part file whole and gives it its final name; `NotDelivered` if that breaks off."""
        journey.accepted_before = glimpse(sftp, journey.accepted)
        may_go = self._write(sftp, journey, progress, hand_over)
        if self._was_swept(sftp, journey):
            return _look_after(sftp, journey, "it was gone as soon as it was written")
        may_go()
        try:
            sftp.rename(journey.part, journey.final)
        except OSError as error:
            if not refused(error):
                raise
            journey.rename_refused = True
            return _look_after(sftp, journey, f"the server did not give it its name ({error})")
        return _confirm(sftp, journey)

    def _write(self, sftp: Client, journey: _Journey, progress: Progress, hand_over: HandOver) -> LastCall:
        """Writes the part file; it is handed over before it is whole: some servers take what is closed."""
        block_bytes = min(self._server.largest_write_bytes, sftp.largest_write_bytes)
        left = journey.parcel.size_bytes
        may_go = None
        journey.begun = True
        with journey.parcel.path.open("rb") as report, sftp.open(journey.part, "wx") as remote:
            remote.MAX_REQUEST_SIZE = block_bytes
            # Without waiting for each block's receipt; close() waits for those still missing.
            remote.set_pipelined(True)
            while block := report.read(block_bytes):
                left -= len(block)
                if left <= 0 and may_go is None:
                    may_go = hand_over(posixpath.basename(journey.part))
                    journey.may_be_whole = True
                remote.write(block)
                progress(len(block))
        return may_go or hand_over(posixpath.basename(journey.part))

    def _was_swept(self, sftp: Client, journey: _Journey) -> bool:
        """Whether the part file has been taken already. Raises `NotDelivered` if it is not whole."""
        size = journey.parcel.size_bytes
        try:
            arrived = search(sftp, journey.part)
            if arrived is None:
                return True
            if arrived.size_bytes == size or holds(sftp, journey.part, journey.parcel):
                return False
        except OSError as error:
            if not refused(error):
                raise
            return False  # nobody may look here
        journey.may_be_whole = False
        there = "Another number" if arrived.size_bytes is None else f"{arrived.size_bytes:,}"
        raise NotDelivered(
            f"{there} of {size:,} bytes arrived on the server.",
            "Ask the authority whether its disk or our share of it is full.",
        )

    def _clear_leftovers(self, sftp: Client, journey: _Journey) -> None:
        """What killed runs have left of this report. One that is only paused finds its file gone, too."""
        folder, name = posixpath.split(journey.final)
        ours = re.compile(rf"{re.escape(name)}\.[0-9a-f]{{8}}\.part".encode())
        try:
            for found, _attributes in listing.entries(sftp, folder, self._server.listing):
                if ours.fullmatch(found):
                    take_away(sftp, posixpath.join(folder, found.decode("ascii")))
        except (OSError, listing.EndlessListing) as error:
            if isinstance(error, OSError) and not refused(error):
                raise
            _log.warning("What may have been left in %s was not cleared away: %s", folder, error)

    def _clear_away(self, journey: _Journey) -> None:
        """Takes away what was begun, as far as possible: it is no report, and holds names."""
        try:
            with self._sessions.open() as sftp:
                if take_away(sftp, journey.part) is Removal.LEFT_BEHIND:
                    _log.warning("%s was left behind on the server", journey.part)
        except NotDelivered as error:
            _log.warning("%s may have been left behind on the server: %s", journey.part, error.message)

    def _settle(self, journey: _Journey, trouble: NotDelivered) -> Outcome:
        """It was written whole, and it is not certain what came of it: look, once."""
        why = trouble.message.rstrip(".")
        if trouble.__cause__ is not None:
            why = f"the connection broke ({why})"
        try:
            with self._sessions.open() as sftp:
                return _look_after(sftp, journey, why)
        except NotDelivered as error:
            return _unknown(journey, f"{_sentence(why)} The server could not be asked again: {error.message}")

    def _fetch(self, box: Box, found: Found, into: Path) -> Path | None:
        local = into / _local_name(found.remote)
        unfinished = local.with_name(local.name + ".part")
        try:
            is_whole = box.download(found, unfinished, self._server.largest_answer_bytes)
        except OSError as error:
            if not refused(error):
                raise
            box.warn("%r cannot be fetched: %s", found.name, error)
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
    accepted_before: State | None = None
    begun: bool = False
    # From the hand-over on: until then a part of it is missing on the server.
    may_be_whole: bool = False
    rename_refused: bool = False


def _is_strange(sftp: Client, path: str, state: State, ours: Sequence[Parcel]) -> bool:
    """Whether a file has other bytes than each of ours; one that nobody may read is told by its size."""
    try:
        return not any(holds(sftp, path, parcel) for parcel in ours) and find(sftp, path) is not None
    except OSError as error:
        if not refused(error):
            raise
        return not any(state.may_have(parcel.size_bytes) for parcel in ours)


def _look_first(sftp: Client, journey: _Journey) -> Outcome | None:
    if find(sftp, journey.final) is None:
        return None
    if holds(sftp, journey.final, journey.parcel):
        return Delivered(detail=f"{journey.final} was already there, the same bytes")
    return _taken(journey)


def _confirm(sftp: Client, journey: _Journey) -> Outcome:
    """The server says that it has given the file its name; it has if nothing is left of the part file."""
    try:
        for pause in (*_PAUSES, None):
            final, part = find(sftp, journey.final), find(sftp, journey.part)
            if part is None and final is not None and final.may_have(journey.parcel.size_bytes):
                return Delivered(detail=f"put into {journey.final}")
            if pause is None or (part is None and final is None):
                break
            time.sleep(pause)
    except OSError as error:
        if not refused(error):
            raise
        return Delivered(detail=f"put into {journey.final}, says the server; it lets nobody look")
    return _look_after(sftp, journey, "the server said that it has its name")


def _look_after(sftp: Client, journey: _Journey, why: str) -> Outcome:
    """What the folders tell of a report that was written whole."""
    # Taking the part file away comes first: from then on, a rename still under way must fail.
    part = take_away(sftp, journey.part)
    if holds(sftp, journey.final, journey.parcel):
        return Delivered(detail=f"{journey.final} is there, though {why}")
    now_accepted = glimpse(sftp, journey.accepted)
    if now_accepted != journey.accepted_before and holds(sftp, journey.accepted, journey.parcel):
        return Delivered(detail=f"the authority has taken it already: {journey.accepted}")
    if part is Removal.LEFT_BEHIND:
        return _unknown(
            journey, f"{_sentence(why)} {journey.part} still lies there and cannot be taken back."
        )
    if part is Removal.WAS_NOT_THERE:
        return _unknown(journey, f"{_sentence(why)} It is neither in v_ajpes nor in accepted.")
    if search(sftp, journey.final) is None:
        return Unreachable(
            f"{journey.final} is not there, though it was written whole: {why}; the upload was taken back.",
            "Run it again; if it stays so, ask the authority about its server.",
        )
    if journey.rename_refused:
        return _taken(journey)
    return _unknown(journey, f"{_sentence(why)} What lies there under this name is not what was sent.")


def _taken(journey: _Journey) -> Unreachable:
    return Unreachable(
        f"{journey.final} is already there, and it is another file. It was not touched.",
        "Wait until the authority has taken that file, or ask it to remove it; then run again.",
    )


def _unknown(journey: _Journey, what: str) -> Unknown:
    return Unknown(
        f"{journey.final} was written whole, and may have arrived. {what}",
        "Do not send it again before this is settled: wait for the authority's answer, or ask it, "
        "then say so with `ajpes-reporting resolve`.",
    )


def _sentence(why: str) -> str:
    return f"{why[0].upper()}{why[1:]}."


def _local_name(remote: RemoteAnswer) -> str:
    """A name that is harmless on this machine, and another one for every other remote file."""
    identity = f"{remote.report}\n{remote.name}\n{remote.size_bytes}\n{remote.modified_at}"
    mark = hashlib.sha256(identity.encode()).hexdigest()[:12]
    return f"{mark}-{re.sub(r'[^A-Za-z0-9._-]', '_', remote.name)[-80:]}"
