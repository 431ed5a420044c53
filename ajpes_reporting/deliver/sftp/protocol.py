"""Reads the packets that servers send over SFTP, tolerating their oddities.

paramiko forgets the number of a status, gives up at a text that is not UTF-8, and believes whatever count
stands before a list. Here a server's "no" keeps its number and says what was asked for, and nothing is read
beyond the end of a packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import paramiko
from paramiko import SFTPAttributes

from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Iterator

_OK, _END, _NO_SUCH_FILE, _DENIED, _UNSUPPORTED, _NO_SUCH_PATH = 0, 1, 2, 3, 8, 10
_LONGEST_TEXT = 300
ONLY_XML = _('if the server takes names that end in .xml and no others, set sftp.upload = "direct"')
IS_IT_FULL = _("ask the authority whether its disk, or our share of it, is full")

# The last ones are of later versions of SFTP; there are servers that use them in version 3, too.
_NAMES = {
    _OK: "ok", _END: "end of file", _NO_SUCH_FILE: "no such file", _DENIED: "permission denied",
    4: "failure", 5: "bad message", 6: "no connection", 7: "connection lost", _UNSUPPORTED: "unsupported",
    9: "invalid handle", _NO_SUCH_PATH: "no such path", 11: "file already exists", 12: "write protected",
    13: "no media", 14: "no space left", 15: "quota exceeded", 16: "unknown principal", 17: "lock conflict",
    18: "folder not empty", 19: "not a folder", 20: "invalid file name", 21: "link loop",
    22: "cannot delete", 23: "invalid parameter", 24: "file is a folder", 25: "range locked",
    26: "range refused", 27: "delete pending", 28: "file corrupt",
}  # fmt: skip


class Refused(OSError):
    """A server's own "no".

    `code` is the number of its status, `reason` what it says, a clause. `wanted` is what it would not do:
    "open nodurs/v_ajpes/a.xml". `remedy` is an order.
    """

    wanted = _("do it")
    remedy = _(
        "check sftp.folder and sftp.folders, and that the folders are there and open; "
        "`ajpes-reporting doctor` tries what a run does there"
    )

    def __init__(self, code: int | None, text: str = "") -> None:
        self.code = code
        self.reason = text if code is None else _told(code, text.rstrip("."))
        super().__init__(self.reason)

    @property
    def is_denied(self) -> bool:
        """Whether the server does not let us do it, or cannot do it at all; "failure" may mean anything."""
        return self.code in (_DENIED, _UNSUPPORTED)


def _told(code: int, text: str) -> str:
    """A status in the server's words, and in ours where these say nothing."""
    name = _NAMES.get(code, "unknown to SFTP")
    if not text:
        return f"{name} (status {code})"
    return f"{text} (status {code})" if name in text.lower() else f"{text} (status {code}, {name})"


class NoSuchFile(Refused, FileNotFoundError):
    """There is nothing under this name, says the server."""


class EndOfList(EOFError):
    """The status that ends a file or a listing."""


class Attributes(SFTPAttributes):
    """The attributes of a file, in which a count of extensions is not believed beyond the packet."""

    def _unpack(self, message: Any) -> None:
        extensions = self.FLAG_EXTENDED
        end = _end_of(message)
        self._flags = message.get_int()
        if self._flags & self.FLAG_SIZE:
            self.st_size = message.get_int64()
        if self._flags & self.FLAG_UIDGID:
            self.st_uid, self.st_gid = message.get_int(), message.get_int()
        if self._flags & self.FLAG_PERMISSIONS:
            self.st_mode = message.get_int()
        if self._flags & self.FLAG_AMTIME:
            self.st_atime, self.st_mtime = message.get_int(), message.get_int()
        if self._flags & extensions:
            for _extension in range(message.get_int()):
                if message.packet.tell() >= end:
                    break
                message.get_binary(), message.get_binary()


def check_status(status: paramiko.Message) -> None:
    """Raises what a status says, unless it says that all is well: `Refused`, or `EndOfList`."""
    code = status.get_int()
    if code == _OK:
        return
    text = status.get_binary().decode(errors="backslashreplace").strip()[:_LONGEST_TEXT]
    if code == _END:
        raise EndOfList(text)
    raise NoSuchFile(code, text) if code in (_NO_SUCH_FILE, _NO_SUCH_PATH) else Refused(code, text)


def wanted(kind: int, arguments: tuple[Any, ...]) -> Message:
    """Describes a request, as "remove nodurs/v_ajpes/a.xml"."""
    first = arguments[0] if arguments else ""
    path = first.decode(errors="backslashreplace") if isinstance(first, bytes) else str(first)
    match kind:
        case paramiko.sftp.CMD_OPEN:
            return _("open {path}", path=path)
        case paramiko.sftp.CMD_STAT:
            return _("look at {path}", path=path)
        case paramiko.sftp.CMD_OPENDIR:
            return _("list {path}", path=path)
        case paramiko.sftp.CMD_REMOVE:
            return _("remove {path}", path=path)
        case paramiko.sftp.CMD_RENAME:
            return _("rename {path}", path=path)
        case paramiko.sftp.CMD_READDIR:
            return _("list the folder")
        case paramiko.sftp.CMD_CLOSE:
            return _("close the file")
        case paramiko.sftp.CMD_READ:
            return _("read the file")
        case paramiko.sftp.CMD_WRITE:
            return _("write the file")
        case paramiko.sftp.CMD_FSTAT:
            return _("look at the file")
    return _("do what was asked (request {number})", number=kind)


def entries_of(page: paramiko.Message) -> Iterator[tuple[bytes, SFTPAttributes]]:
    """The names and attributes of one page of a listing; never more than there are bytes for."""
    attributes: Any = Attributes
    end = _end_of(page)
    for _entry in range(page.get_int()):
        if page.packet.tell() >= end:
            return
        name, long_name = page.get_binary(), page.get_binary()
        yield name, attributes._from_msg(page, legible(name), legible(long_name))


def legible(name: bytes) -> str:
    """The name as text; PostgreSQL keeps no text with a NUL in it."""
    return name.decode(errors="backslashreplace").replace("\0", "\\x00")


def _end_of(message: Any) -> int:
    return int(message.packet.getbuffer().nbytes)
