"""What lies on the exchange server, as far as it lets itself be seen.

Servers differ: one leaves the size out, one answers STAT for a missing file with FAILURE, one says that
it has removed a file and has not. So what is asked here is what somebody wants to know, and a server's
word alone is not taken for it.
"""

from __future__ import annotations

import hashlib
import posixpath
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from ajpes_reporting.deliver import listing
from ajpes_reporting.deliver.client import refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    import paramiko

    from ajpes_reporting.deliver.client import Client
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
    """What became of a file that was to be taken away."""

    TAKEN_AWAY = auto()
    WAS_NOT_THERE = auto()
    LEFT_BEHIND = auto()


def state_of(attributes: paramiko.SFTPAttributes) -> State:
    """What the attributes of a file tell of it."""
    size = attributes.st_size
    return State(None if size is None or size >= _NO_SIZE else size, attributes.st_mtime)


def find(sftp: Client, path: str | bytes) -> State | None:
    """A file's state; None if there is none.

    Where STAT fails for another reason than a missing file, the listing of its folder decides. Raises what
    the server refused if neither tells.
    """
    try:
        return state_of(sftp.stat(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        if not refused(error):
            raise
    return find_listed(sftp, path)


def find_listed(sftp: Client, path: str | bytes) -> State | None:
    """A file's state as its folder lists it; None if it is not listed."""
    folder, wanted = posixpath.split(path.encode() if isinstance(path, str) else path)
    try:
        for name, attributes in listing.entries(sftp, folder.decode()):
            if name == wanted:
                return state_of(attributes)
    except FileNotFoundError:
        return None
    except listing.EndlessListing as error:
        raise OSError(error.message) from None
    return None


def search(sftp: Client, path: str | bytes) -> State | None:
    """A file's state as STAT tells it, or the listing; None if neither knows the file."""
    return find(sftp, path) or find_listed(sftp, path)


def glimpse(sftp: Client, path: str | bytes) -> State | None:
    """A file's state; None also where the server lets nobody look."""
    try:
        return find(sftp, path)
    except OSError as error:
        if not refused(error):
            raise
        return None


def take_away(sftp: Client, path: str) -> Removal:
    """Removes a file, and looks whether it is gone."""
    try:
        sftp.remove(path)
    except FileNotFoundError:
        return Removal.WAS_NOT_THERE
    except OSError as error:
        if not refused(error):
            raise
        return Removal.WAS_NOT_THERE if find(sftp, path) is None else Removal.LEFT_BEHIND
    return Removal.TAKEN_AWAY if find(sftp, path) is None else Removal.LEFT_BEHIND


def holds(sftp: Client, path: str | bytes, parcel: Parcel) -> bool:
    """Whether a file has the very bytes of the parcel; they are read back."""
    state = search(sftp, path)
    if state is None or not state.may_have(parcel.size_bytes):
        return False
    digest = hashlib.sha256()
    read = sftp.blocks_to_end if state.size_bytes is None else sftp.blocks
    try:
        for block in read(path, parcel.size_bytes):
            digest.update(block)
    except FileNotFoundError:
        return False
    return digest.hexdigest() == parcel.sha256


def find_by_content(sftp: Client, folder: str, parcel: Parcel, *, but_for: bytes | None = None) -> str:
    """The path in a folder of a file with the very bytes of the parcel, whatever its name; empty if none.

    Names that end in `but_for` do not count.
    """
    for name in _of_its_size(sftp, folder, parcel.size_bytes):
        if but_for and name.endswith(but_for):
            continue
        path = posixpath.join(folder.encode(), name)
        try:
            if holds(sftp, path, parcel):
                return path.decode(errors="backslashreplace")
        except OSError as error:
            if not refused(error):
                raise
    return ""


def _of_its_size(sftp: Client, folder: str, size_bytes: int) -> Iterator[bytes]:
    """The newest files of a folder that may have this size, as many as are worth reading back."""
    found = []
    try:
        for name, attributes in listing.entries(sftp, folder):
            if (state := state_of(attributes)).may_have(size_bytes):
                found.append((state.modified_at or 0, name))
    except (FileNotFoundError, listing.EndlessListing):
        pass
    for _time, name in sorted(found, reverse=True)[:_MOST_READ_BACK]:
        yield name
