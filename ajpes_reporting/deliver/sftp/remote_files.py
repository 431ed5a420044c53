"""Looks at files on the exchange server, as far as the server allows it.

Servers differ: one leaves the size out, one answers STAT for a missing file with FAILURE, one says that
it has removed a file and has not, one lets nobody look. So what is asked here is what somebody wants to know;
a server's word alone is not taken where one can look, and where nobody may, that is an answer, too.
"""

from __future__ import annotations

import hashlib
import posixpath
import stat
import time
from dataclasses import dataclass
from enum import Enum, auto
from itertools import zip_longest
from typing import TYPE_CHECKING

from ajpes_reporting.deliver.sftp.client import EndlessListing, list_folder
from ajpes_reporting.deliver.sftp.protocol import Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import paramiko

    from ajpes_reporting.deliver.sftp.client import Client
    from ajpes_reporting.domain.ports import Parcel

# From here on it is no size: a server that does not know one counts down from zero.
_NO_SIZE = 1 << 63
_MOST_READ_BACK = 20


@dataclass(frozen=True, slots=True)
class State:
    """Size in bytes and time of change of a file; None for what the server does not tell."""

    size_bytes: int | None
    modified_at: int | None

    def may_have(self, size_bytes: int) -> bool:
        """Whether the file may have this size; a size that is not told contradicts none."""
        return self.size_bytes in (None, size_bytes)


class Removal(Enum):
    """The result of removing a file."""

    TAKEN_AWAY = auto()
    WAS_NOT_THERE = auto()
    LEFT_BEHIND = auto()


class Content(Enum):
    """The content of a file, compared with a parcel."""

    OURS = auto()
    OTHER = auto()
    ABSENT = auto()
    # It is there and may be ours; nobody may read it.
    UNREADABLE = auto()
    # Nobody may look whether it is there.
    UNSEEN = auto()


def state_of(attributes: paramiko.SFTPAttributes) -> State:
    """Returns the state of a file that its attributes tell."""
    size = attributes.st_size
    return State(None if size is None or size >= _NO_SIZE else size, attributes.st_mtime)


def find(sftp: Client, path: str | bytes) -> State | None:
    """A file's state; None if there is none.

    Where STAT fails for another reason than a missing file, the listing of its folder decides. Raises
    `Refused` if neither tells.
    """
    try:
        return state_of(sftp.stat(path))
    except FileNotFoundError:
        return None
    except Refused:
        pass
    return _find_listed(sftp, path)


def search(sftp: Client, path: str | bytes) -> State | None:
    """A file's state as STAT tells it, or the listing; None if neither knows the file.

    Raises `Refused` if nobody may look.
    """
    if (state := find(sftp, path)) is not None:
        return state
    try:
        return _find_listed(sftp, path)
    except Refused:
        return None


def glimpse(sftp: Client, path: str | bytes) -> State | None:
    """A file's state; None also where the server lets nobody look."""
    try:
        return find(sftp, path)
    except Refused:
        return None


def take_away(sftp: Client, path: str, pauses: Sequence[float] = ()) -> Removal:
    """Removes a file, and looks whether it is gone; the server's word counts where nobody may look.

    After each of the pauses, in seconds, it is tried again where it was refused: the session that wrote the
    file may still hold it open there. A denial is not tried again.
    """
    was_seen = glimpse(sftp, path) is not None
    try:
        sftp.remove(path)
        was_there = was_seen or not _also_removes_nothing(sftp, path)
        by_its_word = Removal.TAKEN_AWAY if was_there else Removal.WAS_NOT_THERE
    except FileNotFoundError:
        by_its_word = Removal.WAS_NOT_THERE
    except Refused as error:
        by_its_word = Removal.LEFT_BEHIND
        if pauses and not error.is_denied:
            time.sleep(pauses[0])
            return take_away(sftp, path, pauses[1:])
    try:
        is_there = search(sftp, path) is not None
    except Refused:
        return by_its_word
    if is_there:
        return Removal.LEFT_BEHIND
    return Removal.WAS_NOT_THERE if by_its_word is Removal.LEFT_BEHIND else by_its_word


def _also_removes_nothing(sftp: Client, path: str) -> bool:
    """Whether the server says yes once more, of a file that it has just removed: then that proves nothing.

    Servers in front of an object store do: to remove what is not there is no mistake to them.
    """
    try:
        sftp.remove(path)
    except Refused:
        return False
    return True


def compare(sftp: Client, path: str | bytes, parcel: Parcel, *, sizes_count: bool = False) -> Content:
    """Compares a file with a parcel by its bytes; it is read back.

    A size alone proves nothing: a server that keeps its files packed or enciphered may tell another one. With
    `sizes_count` a file of another size is not read.
    """
    try:
        state = search(sftp, path)
    except Refused:
        return Content.UNSEEN
    if state is None:
        return Content.ABSENT
    if sizes_count and not state.may_have(parcel.size_bytes):
        return Content.OTHER
    digest = hashlib.sha256()
    read = sftp.blocks if state.size_bytes == parcel.size_bytes else sftp.blocks_to_end
    try:
        for block in read(path, parcel.size_bytes):
            digest.update(block)
    except FileNotFoundError:
        return Content.ABSENT
    except Refused:
        return Content.UNREADABLE if state.may_have(parcel.size_bytes) else Content.OTHER
    return Content.OURS if digest.hexdigest() == parcel.sha256 else Content.OTHER


def holds(sftp: Client, path: str | bytes, parcel: Parcel) -> bool:
    """Whether a file has the very bytes of the parcel, as far as they can be read."""
    return compare(sftp, path, parcel, sizes_count=True) is Content.OURS


def is_part(sftp: Client, path: str, parcel: Parcel) -> bool:
    """Whether a file, which is not the whole parcel, holds nothing but bytes of it, each at its place.

    A block that was refused leaves a hole of zeros. Raises `Refused` if it cannot be read.
    """
    length = 0
    with parcel.path.open("rb") as ours:
        for block in sftp.blocks_to_end(path, parcel.size_bytes):
            length += len(block)
            expected = ours.read(len(block))
            if block != expected and any(
                there not in (0, here) for there, here in zip_longest(block, expected)
            ):
                return False
    return length <= parcel.size_bytes


def find_by_content(
    sftp: Client,
    folder: str,
    parcel: Parcel,
    *,
    but_for: bytes | None = None,
    known: Collection[bytes] = (),
) -> str:
    """The path in a folder of a file with the very bytes of the parcel, whatever its name; empty if none.

    Names that end in `but_for`, and those in `known`, do not count.
    """
    for name in _of_its_size(sftp, folder, parcel.size_bytes):
        if (but_for and name.lower().endswith(but_for)) or name in known:
            continue
        path = posixpath.join(folder.encode(), name)
        if holds(sftp, path, parcel):
            return path.decode(errors="backslashreplace")
    return ""


def _of_its_size(sftp: Client, folder: str, size_bytes: int) -> list[bytes]:
    """The newest files of a folder that may have this size, as many as are worth reading back."""
    found = []
    try:
        for name, attributes in list_folder(sftp, folder):
            if (state := state_of(attributes)).may_have(size_bytes) and not _is_folder(attributes):
                found.append((state.modified_at or 0, name))
    except (Refused, EndlessListing):
        pass
    return [name for _time, name in sorted(found, reverse=True)[:_MOST_READ_BACK]]


def kind_of(attributes: paramiko.SFTPAttributes) -> int:
    """A regular file, a folder, a link …; 0 where the server does not say."""
    return stat.S_IFMT(attributes.st_mode or 0)


def _is_folder(attributes: paramiko.SFTPAttributes) -> bool:
    return kind_of(attributes) == stat.S_IFDIR


def _find_listed(sftp: Client, path: str | bytes) -> State | None:
    """A file's state as its folder lists it; None if it is not listed."""
    folder, wanted = posixpath.split(path.encode() if isinstance(path, str) else path)
    try:
        for name, attributes in list_folder(sftp, folder.decode()):
            if name == wanted:
                return state_of(attributes)
    except FileNotFoundError:
        return None
    except EndlessListing as error:
        raise Refused(None, error.message) from None
    return None
