"""SFTP: a report into v_ajpes, its answer from iz_ajpes (instruction, section 4.2).

How a report gets its name there, see `upload`. What became of it is settled by looking, whatever the server
says: as long as what we have written is still there for us to take away, the report has not arrived, and
cannot arrive any more. A whole file that is gone may have.
"""

from __future__ import annotations

import hashlib
import logging
import posixpath
import re
import secrets
from typing import TYPE_CHECKING

from ajpes_reporting.deliver.sftp.answer_folder import AnswerFolder
from ajpes_reporting.deliver.sftp.probe import (
    Trial,
    try_accepted_folder,
    try_answer_folder,
    try_drop_folder,
)
from ajpes_reporting.deliver.sftp.protocol import Refused
from ajpes_reporting.deliver.sftp.remote_files import (
    Content,
    Removal,
    compare,
    find_by_content,
    glimpse,
    take_away,
)
from ajpes_reporting.deliver.sftp.session import SftpServer, SftpSessions, describe
from ajpes_reporting.deliver.sftp.upload import (
    PART,
    Journey,
    clear_away,
    hand_in,
    look_after,
    look_first,
    survey,
    unknown,
)
from ajpes_reporting.domain.errors import NotDelivered, UsageError
from ajpes_reporting.domain.outcomes import Outcome, Unreachable
from ajpes_reporting.domain.ports import (
    UNRECORDED,
    Handover,
    Inspection,
    Parcel,
    Progress,
    RemoteAnswer,
    RemoteReport,
    Shortfall,
    Sighting,
    no_progress,
)
from ajpes_reporting.i18n import _, sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from ajpes_reporting.deliver.sftp.answer_folder import Found
    from ajpes_reporting.deliver.sftp.client import Client
    from ajpes_reporting.deliver.sftp.remote_files import State

__all__ = ["SftpCarrier", "SftpServer"]

_log = logging.getLogger(__name__)


class SftpCarrier:
    """Delivers reports to the exchange server, and fetches the answers from there.

    Raises `ConfigurationError` at once if the private key or the pinned host key cannot be used.
    """

    name = "sftp"

    def __init__(self, server: SftpServer) -> None:
        self._server = server
        self._sessions = SftpSessions(server)

    def deliver(
        self, parcel: Parcel, progress: Progress = no_progress, handover: Handover = UNRECORDED
    ) -> Outcome:
        """Puts the report into v_ajpes under its name, or says why it is not there.

        Raises `UsageError` if the file is not the parcel's.
        """
        if parcel.path.stat().st_size != parcel.size_bytes:
            raise UsageError(
                _("{path} has changed since it was prepared. Nothing was sent.", path=str(parcel.path))
            )
        journey = self._journey(parcel)
        try:
            with self._sessions.open() as sftp:
                if (outcome := look_first(sftp, journey)) is not None:
                    return outcome
                survey(sftp, journey)
                block_bytes = min(self._server.largest_write_bytes, sftp.largest_write_bytes)
                return hand_in(sftp, journey, block_bytes, progress, handover)
        except NotDelivered as error:
            if journey.may_have_arrived:
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
        it, and `NotAllFetched` for files that it does not give us; then what was found is yielded first.
        """
        into.mkdir(parents=True, exist_ok=True)
        folder = self._folder(report, "iz_ajpes")
        with self._sessions.open() as sftp:
            answers = AnswerFolder(sftp, folder, report)
            for found in answers.new(already_fetched):
                if (local := self._fetch(answers, found, into)) is not None:
                    yield found.remote, local
        answers.tell_what_was_left()  # the session is as good as before

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
                if compare(sftp, path, parcel) is Content.OURS:
                    return Sighting(path, was_waiting)
            place = find_by_content(sftp, posixpath.dirname(journey.accepted), parcel) or find_by_content(
                sftp, posixpath.dirname(journey.final), parcel, but_for=PART.encode()
            )
        return Sighting(place, was_waiting)

    def strange_reports(self, report: str, file_name: str, ours: Sequence[Parcel]) -> list[RemoteReport]:
        """Yields the files of that name in v_ajpes and accepted whose bytes are none of ours.

        A size or time that is not told counts as 0. Raises `NotDelivered` if the folders cannot be reached,
        saying why.
        """
        paths = [posixpath.join(self._folder(report, name), file_name) for name in ("v_ajpes", "accepted")]
        with self._sessions.open() as sftp:
            return [
                RemoteReport(path, state.size_bytes or 0, state.modified_at or 0)
                for path in paths
                if (state := glimpse(sftp, path)) is not None and _is_strange(sftp, path, state, ours)
            ]

    def inspect(self) -> Inspection:
        """Says how the server is reached, and which rights a run lacks there; leaves nothing there.

        Raises `NotDelivered` with the reason if it is not reached.
        """
        server = self._server
        trial = Trial(server.upload, server.probe)
        found: list[Shortfall] = []
        try:
            with self._sessions.open() as sftp:
                for report in server.reports:
                    found += try_drop_folder(sftp, self._folder(report, "v_ajpes"), trial)
                    found += try_answer_folder(sftp, self._folder(report, "iz_ajpes"), trial)
                    found += try_accepted_folder(sftp, self._folder(report, "accepted"))
                return Inspection(describe(sftp), tuple(found))
        except NotDelivered as error:
            if not trial.lying_there:
                raise
            stayed = _("{path}, written to try it, may have stayed there.", path=trial.lying_there[0])
            raise NotDelivered(sentences((error.message, stayed)), error.remedy) from error

    def _folder(self, report: str, name: str) -> str:
        return self._server.folders.path(self._server.folder, report, name)

    def _journey(self, parcel: Parcel) -> Journey:
        inbox = self._folder(parcel.report, "v_ajpes")
        return Journey(
            parcel,
            final=posixpath.join(inbox, parcel.file_name),
            # Never a name that ends in .xml: the authority must not take half a file.
            part=posixpath.join(inbox, f"{parcel.file_name}.{secrets.token_hex(4)}{PART}"),
            accepted=posixpath.join(self._folder(parcel.report, "accepted"), parcel.file_name),
            is_direct=self._server.upload == "direct",
        )

    def _clear_away(self, journey: Journey) -> None:
        """Takes away what was begun, as far as possible: it is no report, and holds names."""
        try:
            with self._sessions.open() as sftp:
                clear_away(sftp, journey.part)
        except NotDelivered as error:
            _log.warning("%s may have been left behind on the server: %s", journey.part, error.message)

    def _settle(self, journey: Journey, trouble: NotDelivered) -> Outcome:
        """Looks once for a report that was handed over, and whose arrival is not certain."""
        why = trouble.message
        if trouble.__cause__ is not None and not isinstance(trouble.__cause__, Refused):
            why = sentences((_("The connection broke."), why))
        try:
            with self._sessions.open() as sftp:
                return look_after(sftp, journey, why, trouble.remedy)
        except NotDelivered as error:
            again = _("The server could not be asked again: {reason}", reason=error.message)
            return unknown(journey, why, again)

    def _fetch(self, answers: AnswerFolder, found: Found, into: Path) -> Path | None:
        local = into / _local_name(found.remote)
        unfinished = local.with_name(local.name + ".part")
        try:
            is_whole = answers.download(found, unfinished, self._server.largest_answer_bytes)
        except Refused as error:
            answers.note_refusal(found, error)
            is_whole = False
        if is_whole:
            return unfinished.rename(local)
        unfinished.unlink(missing_ok=True)
        return None


def _is_strange(sftp: Client, path: str, state: State, ours: Sequence[Parcel]) -> bool:
    """Whether a file has other bytes than each of ours; one that nobody may read is told by its size."""
    found = [compare(sftp, path, parcel, sizes_count=True) for parcel in ours]
    if Content.OURS in found or Content.ABSENT in found:
        return False
    return Content.UNREADABLE not in found and (bool(found) or glimpse(sftp, path) is not None)


def _local_name(remote: RemoteAnswer) -> str:
    """A name that is harmless on this machine, and another one for every other remote file."""
    identity = f"{remote.report}\n{remote.name}\n{remote.size_bytes}\n{remote.modified_at}"
    mark = hashlib.sha256(identity.encode()).hexdigest()[:12]
    return f"{mark}-{re.sub(r'[^A-Za-z0-9._-]', '_', remote.name)[-80:]}"
