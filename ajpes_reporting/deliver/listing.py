"""What lies in a folder of the exchange server, whatever bytes its names are made of.

paramiko gives up the whole folder for one name that is not UTF-8. SFTP itself has names of bytes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paramiko import SFTPAttributes, SFTPError
from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_NAME, CMD_OPENDIR, CMD_READDIR

from ajpes_reporting.domain.errors import NotDelivered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paramiko import Message, SFTPClient


class EndlessListing(NotDelivered):
    """A listing that was given up: it has too many names, or takes too long."""

    def __init__(self, folder: str, names: int) -> None:
        super().__init__(
            f"The listing of {folder} was given up after {names:,} names.",
            "Ask the authority to clear the folder, or why its server lists so much.",
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """What a listing may come to: a folder that nobody empties for decades stays well below."""

    names: int = 500_000
    size_bytes: int = 256 << 20
    seconds: float = 120


DEFAULT = Limits()


def entries(
    sftp: SFTPClient, folder: str, limits: Limits = DEFAULT
) -> Iterator[tuple[bytes, SFTPAttributes]]:
    """Each entry's own name, and its attributes, in which bytes that are no text read as \\xc4.

    Raises `EndlessListing` beyond the limits, when it has given everything up to there, and what paramiko
    raises if the folder cannot be read.
    """
    client: Any = sftp  # its stubs do not know how it asks
    kind, reply = client._request(CMD_OPENDIR, folder)
    if kind != CMD_HANDLE:
        raise SFTPError("Expected handle")
    handle = reply.get_binary()
    give_up, names, size_bytes = time.monotonic() + limits.seconds, 0, 0
    while (page := _next_page(client, handle)) is not None:
        for entry in _read(page):
            names += 1
            if entry[0] not in (b".", b".."):
                yield entry
        size_bytes += len(page.asbytes())
        if names > limits.names or size_bytes > limits.size_bytes or time.monotonic() > give_up:
            client._request(CMD_CLOSE, handle)
            raise EndlessListing(folder, names)
    client._request(CMD_CLOSE, handle)


def _next_page(client: Any, handle: bytes) -> Message | None:
    try:
        kind, page = client._request(CMD_READDIR, handle)
    except EOFError:
        return None  # so SFTP says that there is no more
    if kind != CMD_NAME:
        raise SFTPError("Expected name response")
    found: Message = page
    return found


def _read(page: Message) -> Iterator[tuple[bytes, SFTPAttributes]]:
    attributes: Any = SFTPAttributes
    for _ in range(page.get_int()):
        name, long_name = page.get_binary(), page.get_binary()
        yield name, attributes._from_msg(page, _legible(name), _legible(long_name))


def _legible(name: bytes) -> str:
    """The name as text; PostgreSQL keeps no text with a NUL in it."""
    return name.decode(errors="backslashreplace").replace("\0", "\\x00")
