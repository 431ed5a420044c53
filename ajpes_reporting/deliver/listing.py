"""What lies in a folder of the exchange server, whatever bytes its names are made of.

paramiko gives up the whole folder for one name that is not UTF-8. SFTP itself has names of bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paramiko import SFTPAttributes, SFTPError
from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_NAME, CMD_OPENDIR, CMD_READDIR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paramiko import Message, SFTPClient


def entries(sftp: SFTPClient, folder: str) -> Iterator[tuple[bytes, SFTPAttributes]]:
    """Each entry's own name, and its attributes, in which bytes that are no text read as \\xc4.

    Raises what paramiko raises if the folder cannot be read.
    """
    client: Any = sftp  # its stubs do not know how it asks
    kind, reply = client._request(CMD_OPENDIR, folder)
    if kind != CMD_HANDLE:
        raise SFTPError("Expected handle")
    handle = reply.get_binary()
    while (page := _next_page(client, handle)) is not None:
        yield from (entry for entry in _read(page) if entry[0] not in (b".", b".."))
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
    return name.decode(errors="backslashreplace")
