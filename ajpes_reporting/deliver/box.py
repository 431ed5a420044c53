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

from ajpes_reporting.deliver import listing
from ajpes_reporting.deliver.client import refused
from ajpes_reporting.deliver.remote import State, find, state_of
from ajpes_reporting.domain.errors import NotDelivered
from ajpes_reporting.domain.ports import RemoteAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    import paramiko

    from ajpes_reporting.deliver.client import Client

_log = logging.getLogger(__name__)

_UNFINISHED = (".part", ".tmp")
_ASKED_AT_ONCE = 1_000
_MOST_NEW = 10_000
_MOST_WARNINGS = 20


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be an answer, its name as the server has it, and its size if the server tells it."""

    remote: RemoteAnswer
    name: bytes
    size_bytes: int | None


class Box:
    """One folder of answers, in one session."""

    def __init__(self, sftp: Client, folder: str, report: str, limits: listing.Limits) -> None:
        self._sftp = sftp
        self._folder = folder
        self._report = report
        self._limits = limits
        self._left: list[str] = []
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
        before = find(self._sftp, path)
        told = before.size_bytes if before else None
        if None not in (told, found.size_bytes) and told != found.size_bytes:
            self.warn("%r has another size than a moment ago; it is left for the next time", found.name)
            return False
        size = found.size_bytes if told is None else told
        if size is not None and size > most_bytes:
            self.warn("%r has %d bytes, too many to fetch", found.name, size)
            return False
        written = 0
        blocks = self._sftp.blocks_to_end(path, most_bytes) if size is None else self._sftp.blocks(path, size)
        with to.open("wb") as local:
            for block in blocks:
                written += local.write(block)
        if written > most_bytes:
            self.warn("%r has more than %d bytes, too many to fetch", found.name, most_bytes)
        is_whole = written == size or (size is None and written <= most_bytes)
        return is_whole and before is not None and find(self._sftp, path) == before

    def warn(self, text: str, *values: object) -> None:
        """Logs what is wrong with one file; when there is too much of it, only that there is more."""
        self._warnings += 1
        if self._warnings <= _MOST_WARNINGS:
            _log.warning(text, *values)

    def tell_what_was_left(self) -> None:
        """Raises `NotDelivered` if the folder had no end, or more in it than can be fetched at once."""
        if self._warnings > _MOST_WARNINGS:
            _log.warning("%s: %d more files were passed over", self._folder, self._warnings - _MOST_WARNINGS)
        if self._left:
            raise NotDelivered(
                f"{' '.join(self._left)} What was found until then is taken in.",
                "Ask the authority to clear the folder, then collect again.",
            )

    def _newest(self, new: dict[RemoteAnswer, Found]) -> list[tuple[RemoteAnswer, Found]]:
        """The newest, as many as are fetched at once, in order of age."""
        by_age = sorted(new.items(), key=lambda each: (each[0].modified_at, each[0].name))
        if len(by_age) > _MOST_NEW:
            self._leave(f"{self._folder} has more than {_MOST_NEW:,} new files, and the older ones wait.")
        return by_age[-_MOST_NEW:]

    def _leave(self, what: str) -> None:
        if what not in self._left:
            self._left.append(what)

    def _batches(self) -> Iterator[list[Found]]:
        batch: list[Found] = []
        try:
            for name, entry in listing.entries(self._sftp, self._folder, self._limits):
                if (found := self._candidate(name, entry)) is not None:
                    batch.append(found)
                if len(batch) == _ASKED_AT_ONCE:
                    yield batch
                    batch = []
        except listing.EndlessListing as error:
            self._leave(error.message)
        if batch:
            yield batch

    def _candidate(self, name: bytes, entry: paramiko.SFTPAttributes) -> Found | None:
        """What may be an answer: a file, or something of which only STAT tells what it is."""
        if "/" in entry.filename:
            self.warn("The server lists %r, which is no file name; it was passed over", entry.filename)
            return None
        if entry.filename.lower().endswith(_UNFINISHED):
            return None
        state = state_of(entry)
        if _kind(entry) in (0, stat.S_IFLNK) or None in (state.size_bytes, state.modified_at):
            asked = self._asked(name)
            if asked is None:
                return None
            kind, state = asked
            if kind not in (0, stat.S_IFREG):
                return None
        elif _kind(entry) != stat.S_IFREG:
            return None
        remote = RemoteAnswer(self._report, entry.filename, state.size_bytes or 0, state.modified_at or 0)
        return Found(remote, name, state.size_bytes)

    def _asked(self, name: bytes) -> tuple[int, State] | None:
        """Kind and state of a file as STAT tells them, which follows links."""
        try:
            attributes = self._sftp.stat(posixpath.join(self._folder.encode(), name))
        except OSError as error:
            if not refused(error):
                raise
            self.warn("%r is listed, and cannot be looked at: %s", name, error)
            return None
        return _kind(attributes), state_of(attributes)


def _kind(attributes: paramiko.SFTPAttributes) -> int:
    """A regular file, a folder, a link …; 0 where the server does not say."""
    return stat.S_IFMT(attributes.st_mode or 0)
