"""The folder of answers on the exchange server: what is new in it, and its bytes.

A folder that nobody empties grows for years, and a server may list whatever it likes. So what is known
already costs little, and nothing there is without an end.
"""

from __future__ import annotations

import logging
import posixpath
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.deliver.sftp.client import EndlessListing, list_folder
from ajpes_reporting.deliver.sftp.protocol import NoSuchFile, Refused
from ajpes_reporting.deliver.sftp.remote_files import State, kind_of, state_of
from ajpes_reporting.domain.errors import NotAllFetched, NotDelivered
from ajpes_reporting.domain.ports import RemoteAnswer
from ajpes_reporting.i18n import Message, _, _n, joined, sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    import paramiko

    from ajpes_reporting.deliver.sftp.client import Client

_log = logging.getLogger(__name__)

# As servers and clients name what they are still writing.
_UNFINISHED = (".part", ".tmp", ".temp", ".filepart", ".partial", ".incomplete")
_ASKED_AT_ONCE = 1_000
_MOST_NEW = 10_000
_MOST_WARNINGS = 20
_FORBIDDEN = _("ask the authority for the right to read there")
_REFUSED = _("collect again later; if it stays so, ask the authority why its server does not give them")
_TOO_LARGE = _(
    "if an answer may be that large, raise sftp.max_answer_bytes; if not, ask the authority to remove it"
)


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be an answer, its name as the server has it, and its size if the server tells it."""

    remote: RemoteAnswer
    name: bytes
    size_bytes: int | None


class AnswerFolder:
    """One folder of answers, in one session; what has been told in it is not told again."""

    def __init__(self, sftp: Client, folder: str, report: str) -> None:
        self._sftp = sftp
        self._folder = folder
        self._report = report
        self._left: list[Message] = []
        self._not_fetched: list[str] = []
        self._remedies: dict[Message, None] = {}
        self._warnings = 0

    def new(
        self, already_fetched: Callable[[Sequence[RemoteAnswer]], Collection[RemoteAnswer]]
    ) -> list[Found]:
        """The files that were not fetched before, the oldest first; of too many only the newest."""
        new: dict[RemoteAnswer, Found] = {}
        for batch in self._batches():
            known = already_fetched([found.remote for found in batch])
            new.update((found.remote, found) for found in batch if found.remote not in known)
            if len(new) > 2 * _MOST_NEW:
                new = dict(self._newest(new))
        return [found for _remote, found in self._newest(new)]

    def download(self, found: Found, to: Path, most_bytes: int) -> bool:
        """Copies a file; False if it is not whole, because it is being written, or too large to fetch."""
        path = posixpath.join(self._folder.encode(), found.name)
        before = self._state(path)
        told = before.size_bytes if before else None
        if None not in (told, found.size_bytes) and told != found.size_bytes:
            self.warn("%r has another size than a moment ago; it is left for the next time", found.name)
            return False
        # There are servers that tell 0 where they do not know.
        size = (found.size_bytes if told is None else told) or None
        if size is not None and size > most_bytes:
            self.warn("%r has %d bytes, too many to fetch", found.name, size)
            self._note(found, _TOO_LARGE)
            return False
        written, is_certain = self._copy(path, to, size, most_bytes), True
        if size not in (None, written) and self._state(path) == before:
            # Its size is not that of what is in it: it is packed or enciphered there.
            written, is_certain = self._copy(path, to, None, most_bytes), False
        if written > most_bytes:
            self.warn("%r has more than %d bytes, too many to fetch", found.name, most_bytes)
            self._note(found, _TOO_LARGE)
            return False
        if is_certain and self._state(path) == before:
            return True
        if self._reads_again(path, before, to, written):
            return True
        self.warn("%r changes while it is read; it is left for the next time", found.name)
        return False

    def _copy(self, path: bytes, to: Path, size: int | None, most_bytes: int) -> int:
        """Copies a file, to its end if its size is not known. Returns how many bytes came."""
        written = 0
        blocks = self._sftp.blocks_to_end(path, most_bytes) if size is None else self._sftp.blocks(path, size)
        with to.open("wb") as local:
            for block in blocks:
                written += local.write(block)
        return written

    def note_refusal(self, found: Found, error: Refused) -> None:
        """Notes that a file was not given to us; one that is gone, or is a folder, is nobody's trouble."""
        self.warn("%r cannot be fetched: %s", found.name, error)
        if error.is_denied:
            self._note(found, _FORBIDDEN)
        elif not isinstance(error, NoSuchFile) and not self._is_folder(found.name):
            self._note(found, _REFUSED)

    def _is_folder(self, name: bytes) -> bool:
        """Whether it can be listed: there are servers that do not tell what a name stands for."""
        try:
            next(list_folder(self._sftp, posixpath.join(self._folder.encode(), name)), None)
        except Refused:
            return False
        except EndlessListing:
            pass
        return True

    def warn(self, text: str, *values: object) -> None:
        """Logs what is wrong with one file, once; when there is too much of it, only that there is more."""
        warning = text % values
        if warning in self._sftp.told:
            return
        self._warnings += 1
        if self._warnings <= _MOST_WARNINGS:
            self._sftp.told.add(warning)
            _log.warning("%s: %s", self._folder, warning)

    def tell_what_was_left(self) -> None:
        """Raises `NotDelivered` if the folder had no end, or there is something that could not be fetched."""
        if self._warnings > _MOST_WARNINGS:
            _log.warning("%s: %d more files were passed over", self._folder, self._warnings - _MOST_WARNINGS)
        if self._left:
            raise NotDelivered(
                sentences((*self._left, _("What was found until then is taken in."))),
                _("ask the authority to clear the folder, then collect again"),
            )
        if self._not_fetched:
            count, names = len(self._not_fetched), self._not_fetched[:3]
            raise NotAllFetched(
                _n(
                    "{folder} has {count:count} new file that could not be fetched: {names}. "
                    "The others are taken in.",
                    "{folder} has {count:count} new files that could not be fetched: {names}. "
                    "The others are taken in.",
                    count,
                    folder=self._folder,
                    names=names if count == len(names) else [*names, "…"],
                ),
                joined(self._remedies, "; "),
            )

    def _note(self, found: Found, remedy: Message) -> None:
        self._not_fetched.append(found.remote.name)
        self._remedies[remedy] = None

    def _state(self, path: bytes) -> State | None:
        """Returns the state that STAT tells of a file; None if the listing has to do."""
        try:
            return state_of(self._sftp.stat(path))
        except Refused:
            return None

    def _reads_again(self, path: bytes, before: State | None, local: Path, size_bytes: int) -> bool:
        """Whether a file whose size or time is in doubt still has its size, and reads the same once more."""
        after = self._state(path)
        if before is None or after is None or before.size_bytes != after.size_bytes:
            return False
        with local.open("rb") as ours:
            for block in self._sftp.blocks_to_end(path, size_bytes):
                if ours.read(len(block)) != block:
                    return False
            return not ours.read(1)

    def _newest(self, new: dict[RemoteAnswer, Found]) -> list[tuple[RemoteAnswer, Found]]:
        """The newest, as many as are fetched at once, in order of age."""
        by_age = sorted(new.items(), key=lambda each: (each[0].modified_at, each[0].name))
        if len(by_age) > _MOST_NEW:
            self._leave(
                _(
                    "{folder} has more than {most_new:count} new files, and the older ones wait.",
                    folder=self._folder,
                    most_new=_MOST_NEW,
                )
            )
        return by_age[-_MOST_NEW:]

    def _leave(self, what: Message) -> None:
        if what not in self._left:
            self._left.append(what)

    def _batches(self) -> Iterator[list[Found]]:
        batch: list[Found] = []
        try:
            for name, entry in list_folder(self._sftp, self._folder):
                if (found := self._candidate(name, entry)) is not None:
                    batch.append(found)
                if len(batch) == _ASKED_AT_ONCE:
                    yield batch
                    batch = []
        except EndlessListing as error:
            self._leave(error.message)
        if batch:
            yield batch

    def _candidate(self, name: bytes, entry: paramiko.SFTPAttributes) -> Found | None:
        """Returns a file that may be an answer, or an entry of which only STAT tells what it is."""
        if "/" in entry.filename:
            self.warn("the server lists %r, which is no file name; it was passed over", entry.filename)
            return None
        if entry.filename.lower().endswith(_UNFINISHED):
            self.warn("%r is not finished, as its name says; it is left for the next time", name)
            return None
        kind, state = kind_of(entry), state_of(entry)
        if kind in (0, stat.S_IFLNK) or None in (state.size_bytes, state.modified_at):
            try:
                asked = self._sftp.stat(posixpath.join(self._folder.encode(), name))  # which follows links
            except NoSuchFile as error:
                self.warn("%r is listed, and cannot be looked at: %s", name, error)
                return None
            except Refused:
                pass  # nobody may look, so what the listing tells has to do
            else:
                kind, state = kind_of(asked), state_of(asked)
        if kind not in (0, stat.S_IFREG, stat.S_IFLNK):
            what = "a folder" if kind == stat.S_IFDIR else "no file"
            self.warn("%r is %s; no answer is looked for in it", name, what)
            return None
        remote = RemoteAnswer(self._report, entry.filename, state.size_bytes or 0, state.modified_at or 0)
        return Found(remote, name, state.size_bytes)
