"""Writing a file on the server, many blocks under way at once, and hearing what became of each.

paramiko passes over what the server says of the last blocks, and of closing the file; a full disk or a quota
is told there.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

from paramiko import SFTPAttributes, SFTPError
from paramiko.sftp import (
    CMD_ATTRS,
    CMD_CLOSE,
    CMD_FSTAT,
    CMD_HANDLE,
    CMD_OPEN,
    CMD_STATUS,
    CMD_WRITE,
    SFTP_FLAG_CREATE,
    SFTP_FLAG_EXCL,
    SFTP_FLAG_TRUNC,
    SFTP_FLAG_WRITE,
    int64,
)

from ajpes_reporting.deliver.sftp.protocol import IS_IT_FULL, Attributes, Refused, check_status
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from types import TracebackType

    from paramiko import Message

    from ajpes_reporting.deliver.sftp.client import Client

_MOST_UNDER_WAY = 64


class Writing:
    """A file that is being written, as a context; `finish`, then `close`.

    It is a new file, if `exclusive`; else what lies there is lost. Raises `Refused` wherever the server says
    no, also for a block that was written before.
    """

    def __init__(self, sftp: Client, path: str, *, exclusive: bool = True) -> None:
        self._client: Any = sftp  # its stubs do not know how it asks
        self._under_way = 0
        self._offset = 0
        self._refused: Refused | None = None
        flags = SFTP_FLAG_WRITE | SFTP_FLAG_CREATE | SFTP_FLAG_TRUNC
        kind, reply = self._client._request(
            CMD_OPEN, path, flags | SFTP_FLAG_EXCL if exclusive else flags, SFTPAttributes()
        )
        if kind != CMD_HANDLE:
            raise SFTPError("Expected handle")
        self._handle: bytes | None = reply.get_binary()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            with contextlib.suppress(OSError, EOFError):
                self._client._async_request(type(None), CMD_CLOSE, self._handle)

    def write(self, block: bytes) -> None:
        """Sends a block, without waiting for its receipt."""
        self._client._async_request(self, CMD_WRITE, self._handle, int64(self._offset), block)
        self._offset += len(block)
        self._under_way += 1
        self._hear(_MOST_UNDER_WAY)

    def finish(self) -> int | None:
        """Waits for all receipts. Returns the size that the file then has; None if nobody tells."""
        self._hear(0)
        try:
            kind, reply = self._client._request(CMD_FSTAT, self._handle)
        except Refused:
            return None
        if kind != CMD_ATTRS:
            return None
        attributes: Any = Attributes
        size: int | None = attributes._from_msg(reply).st_size
        return size

    def close(self) -> None:
        """Closes the file, and hears what the server says to that."""
        handle, self._handle = self._handle, None
        self._client._request(CMD_CLOSE, handle)

    def _hear(self, most_under_way: int) -> None:
        while self._under_way > most_under_way or (self._under_way and self._client.sock.recv_ready()):
            self._client._read_response()
        if self._refused is not None:
            raise self._refused

    def _async_response(self, kind: int, reply: Message, _number: int) -> None:
        self._under_way -= 1
        if kind != CMD_STATUS:
            raise SFTPError("Expected status")
        try:
            check_status(reply)
        except Refused as error:
            error.wanted, error.remedy = _("write the file"), IS_IT_FULL
            self._refused = self._refused or error
