"""Extends paramiko's SFTP client: the block size of a server, and reading ahead in order.

SFTP promises 32 KiB for one read or write. A server that takes more says in its greeting that it can
tell how much (`limits@openssh.com`, in OpenSSH's PROTOCOL, section 4.8); only then it is asked.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko import Message, SFTPError
from paramiko.sftp import (
    CMD_ATTRS,
    CMD_CLOSE,
    CMD_DATA,
    CMD_EXTENDED,
    CMD_EXTENDED_REPLY,
    CMD_HANDLE,
    CMD_INIT,
    CMD_NAME,
    CMD_OPENDIR,
    CMD_READ,
    CMD_READDIR,
    CMD_STAT,
    CMD_STATUS,
    CMD_VERSION,
    CMD_WRITE,
    int64,
)

from ajpes_reporting.deliver.sftp.protocol import (
    IS_IT_FULL,
    Attributes,
    EndOfList,
    Refused,
    check_status,
    entries_of,
    legible,
    wanted,
)
from ajpes_reporting.domain.errors import NotDelivered
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paramiko import SFTPAttributes

_SFTP_VERSION = 3
_LIMITS = b"limits@openssh.com"
_EVERY_SERVER_TAKES_BYTES = 32 * 1024
# What OpenSSH takes; to read more at once would be no faster.
_LARGEST_BLOCK_BYTES = 255 * 1024
# As much as OpenSSH's own client; paramiko moves all that lies in its buffer with each read from it.
_UNDER_WAY_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class ListingLimits:
    """The largest listing that is read; a folder that nobody empties for decades stays below."""

    names: int = 500_000
    size_bytes: int = 256 << 20
    seconds: float = 120


LISTING_LIMITS = ListingLimits()


class Client(paramiko.SFTPClient):
    """A session that knows how many bytes its server takes in one read, and in one write.

    `listing_limits` bounds what is read of one folder's listing; `told` has the warnings that were logged
    already.
    """

    largest_read_bytes = _EVERY_SERVER_TAKES_BYTES
    largest_write_bytes = _EVERY_SERVER_TAKES_BYTES
    listing_limits = LISTING_LIMITS
    told: set[str]

    def blocks(self, path: str | bytes, size_bytes: int) -> Iterator[bytes]:
        """The first `size_bytes` of a file, and something more if it is longer.

        Raises what paramiko raises if the file cannot be read.
        """
        with self.open(path, "rb") as remote:
            reads = _Reads(self, remote)
            done, at_once = 0, self.largest_read_bytes
            while done <= size_bytes:
                block = b""
                for block in reads.ahead(range(done, size_bytes + 1, at_once), at_once):
                    yield block
                    done += len(block)
                    if len(block) != at_once:
                        break
                if not block or done >= size_bytes:
                    return
                at_once = min(at_once, len(block))  # it gives less than it was asked for; none is left out

    def blocks_to_end(self, path: str | bytes, most_bytes: int) -> Iterator[bytes]:
        """All of a file whose size nobody tells, as far as `most_bytes` and something more.

        Nothing is read ahead: that would be without an end. Raises what paramiko raises.
        """
        with self.open(path, "rb") as remote:
            done = 0
            while done <= most_bytes and (block := remote.read(self.largest_read_bytes)):
                yield block
                done += len(block)

    def require_readable(self, path: str | bytes, size_bytes: int) -> None:
        """Asks for a byte behind the end of a file, so that nothing of it is fetched. Raises `Refused`."""
        with self.open(path, "rb") as remote, contextlib.suppress(EndOfList):
            self._request(CMD_READ, remote.handle, int64(size_bytes), 1)

    def stat(self, path: str | bytes) -> paramiko.SFTPAttributes:
        """The attributes of a file, of which the server may leave out any. Raises `Refused`."""
        kind, reply = self._request(CMD_STAT, path)
        if kind != CMD_ATTRS:
            raise Refused(0, _("the server says yes, and tells nothing"))
        attributes: Any = Attributes
        found: paramiko.SFTPAttributes = attributes._from_msg(reply)
        return found

    def _request(self, kind: int, *arguments: Any) -> tuple[int, Message]:
        client: Any = super()
        try:
            answer: tuple[int, Message] = client._request(kind, *arguments)
        except EndOfList as error:
            if kind in (CMD_READ, CMD_READDIR):
                raise
            raise Refused(1, str(error)) from None  # of nothing else there is an end
        except Refused as error:
            error.wanted = wanted(kind, arguments)
            if kind in (CMD_WRITE, CMD_CLOSE):
                error.remedy = IS_IT_FULL
            raise
        return answer

    def _convert_status(self, status: Message) -> None:
        check_status(status)

    def _send_version(self) -> int:
        """The greeting, as in paramiko, but with what the server says in it."""
        client: Any = self  # its stubs do not know how it asks
        hello = Message()
        hello.add_int(_SFTP_VERSION)
        client._send_packet(CMD_INIT, hello)
        kind, reply = client._read_packet()
        if kind != CMD_VERSION:
            raise SFTPError("Incompatible sftp protocol")
        greeting = Message(reply)
        version = greeting.get_int()
        if _LIMITS in _extensions(greeting):
            self._ask_for_limits(client)
        return version

    def _ask_for_limits(self, client: Any) -> None:
        try:
            kind, limits = client._request(CMD_EXTENDED, _LIMITS)
        except OSError as error:
            if not refused(error):
                raise
            return
        if kind == CMD_EXTENDED_REPLY:
            _largest_packet, read, write = (limits.get_int64() for _each in range(3))
            self.largest_read_bytes = _sensible(read)
            self.largest_write_bytes = _sensible(write)


class _Reads:
    """Reads under way in one file. Their replies may come in any order; paramiko hands them over here."""

    def __init__(self, client: Any, remote: paramiko.SFTPFile) -> None:
        self._client = client
        self._handle = remote.handle
        self._replies: dict[int, tuple[int, Message]] = {}

    def ahead(self, offsets: range, size_bytes: int) -> Iterator[bytes]:
        """The blocks at these offsets, in order; one that lies behind the end is empty."""
        under_way: deque[int] = deque()
        most = max(2, _UNDER_WAY_BYTES // size_bytes)
        for offset in offsets:
            request = (CMD_READ, self._handle, int64(offset), size_bytes)
            under_way.append(self._client._async_request(self, *request))
            if len(under_way) == most:
                yield self._await(under_way.popleft())
        while under_way:
            yield self._await(under_way.popleft())

    def _await(self, number: int) -> bytes:
        while number not in self._replies:
            self._client._read_response()
        kind, reply = self._replies.pop(number)
        if kind == CMD_STATUS:
            return self._end_of_file(reply)
        if kind != CMD_DATA:
            raise SFTPError("Expected data")
        return reply.get_binary()

    def _end_of_file(self, status: Message) -> bytes:
        try:
            check_status(status)
        except EndOfList:
            return b""
        except Refused as error:
            error.wanted = _("read the file")
            raise
        raise SFTPError("Expected data")

    def _async_response(self, kind: int, reply: Message, number: int) -> None:
        self._replies[number] = (kind, reply)


def refused(error: BaseException) -> bool:
    """Whether the server itself said no, by a status of SFTP."""
    return isinstance(error, Refused)


def _extensions(greeting: Message) -> set[bytes]:
    """The names of what the server can do beyond the protocol; each is followed by its version."""
    names = set()
    while greeting.get_remainder():
        names.add(greeting.get_binary())
        greeting.get_binary()
    return names


def _sensible(limit_bytes: int) -> int:
    """A limit of 0 says that the server does not know."""
    return min(limit_bytes or _EVERY_SERVER_TAKES_BYTES, _LARGEST_BLOCK_BYTES)


class EndlessListing(NotDelivered):
    """A listing that was given up: it has too many names, or takes too long."""

    def __init__(self, folder: str, names: int) -> None:
        super().__init__(
            _("The listing of {folder} was given up after {names:count} names.", folder=folder, names=names),
            _("ask the authority to clear the folder, or why its server lists so much"),
        )


def list_folder(sftp: Client, folder: str | bytes) -> Iterator[tuple[bytes, SFTPAttributes]]:
    """Each entry's own name, and its attributes, in which bytes that are no text read as \\xc4.

    Raises `EndlessListing` beyond the session's limits, when it has given everything up to there, and
    `Refused` if the folder cannot be read.
    """
    client: Any = sftp  # its stubs do not know how it asks
    limits = sftp.listing_limits
    kind, reply = client._request(CMD_OPENDIR, folder)
    folder = folder if isinstance(folder, str) else legible(folder)
    if kind != CMD_HANDLE:
        raise SFTPError("Expected handle")
    handle = reply.get_binary()
    give_up, names, size_bytes = time.monotonic() + limits.seconds, 0, 0
    try:
        while (page := _next_page(client, folder, handle)) is not None:
            for entry in entries_of(page):
                names += 1
                if entry[0] not in (b"", b".", b".."):
                    yield entry
            size_bytes += len(page.asbytes())
            if names > limits.names or size_bytes > limits.size_bytes or time.monotonic() > give_up:
                _close(client, handle)
                raise EndlessListing(folder, names)
    except GeneratorExit:  # whoever asked has seen enough
        client._async_request(type(None), CMD_CLOSE, handle)
        raise
    _close(client, handle)


def _close(client: Any, handle: bytes) -> None:
    with contextlib.suppress(Refused):  # all of it has been read
        client._request(CMD_CLOSE, handle)


def _next_page(client: Any, folder: str, handle: bytes) -> Message | None:
    try:
        kind, page = client._request(CMD_READDIR, handle)
    except EndOfList:
        return None
    except Refused as error:
        error.wanted = _("list {path}", path=folder)
        raise
    if kind != CMD_NAME:
        raise SFTPError("Expected name response")
    found: Message = page
    return found
