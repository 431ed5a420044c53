"""Lists a folder of the exchange server, whatever bytes its names are made of.

paramiko gives up the whole folder for one name that is not UTF-8. SFTP itself has names of bytes.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from paramiko import SFTPError
from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_NAME, CMD_OPENDIR, CMD_READDIR

from ajpes_reporting.deliver.sftp.protocol import EndOfList, Refused, entries_of, legible
from ajpes_reporting.domain.errors import NotDelivered
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paramiko import Message, SFTPAttributes

    from ajpes_reporting.deliver.sftp.client import Client


class EndlessListing(NotDelivered):
    """A listing that was given up: it has too many names, or takes too long."""

    def __init__(self, folder: str, names: int) -> None:
        super().__init__(
            _("The listing of {folder} was given up after {names:count} names.", folder=folder, names=names),
            _("ask the authority to clear the folder, or why its server lists so much"),
        )


def entries(sftp: Client, folder: str | bytes) -> Iterator[tuple[bytes, SFTPAttributes]]:
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
