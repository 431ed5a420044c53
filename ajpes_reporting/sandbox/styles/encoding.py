"""Encodings of a reply: its bytes and its Content-Type."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_BOUNDARY = "uuid:6f1c8e2a-ajpes"
_ROOT = "<root.message@ajpes.si>"
_DECLARATION = re.compile(rb"^<\?xml[^>]*\?>")


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP reply before it is sent."""

    status: int
    content_type: str
    body: bytes


def plain(reply: Reply) -> Reply:
    """Returns the reply as it is."""
    return reply


def mime(reply: Reply) -> Reply:
    """MTOM: the envelope is the first and only part of multipart/related."""
    media_type = reply.content_type.partition(";")[0]
    head = (
        f"--{_BOUNDARY}\r\nContent-ID: {_ROOT}\r\nContent-Transfer-Encoding: 8bit\r\n"
        f'Content-Type: application/xop+xml; charset=utf-8; type="{media_type}"\r\n\r\n'
    )
    content_type = (
        f'multipart/related; type="application/xop+xml"; start="{_ROOT}"; start-info="{media_type}"; '
        f'boundary="{_BOUNDARY}"'
    )
    body = head.encode() + reply.body + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return replace(reply, content_type=content_type, body=body)


def broken_mime(reply: Reply) -> Reply:
    """MTOM that breaks off in the middle of its part."""
    whole = mime(reply)
    return replace(whole, body=whole.body[: len(whole.body) // 2])


def windows_1250(reply: Reply) -> Reply:
    """The encoding stands in Content-Type alone."""
    return _encoded(reply, b"")


def false_declaration(reply: Reply) -> Reply:
    """The encoding of Content-Type is right, and the declaration says another one (RFC 7303)."""
    return _encoded(reply, b'<?xml version="1.0" encoding="utf-8"?>')


def bom(reply: Reply) -> Reply:
    """A byte order mark before everything."""
    return replace(reply, body=b"\xef\xbb\xbf" + reply.body)


def crlf(reply: Reply) -> Reply:
    """CR LF before the declaration, where XML allows nothing."""
    return replace(reply, body=b"\r\n" + reply.body)


def trailing_nul(reply: Reply) -> Reply:
    """A buffer that was not cut: blanks and a NUL after the end."""
    return replace(reply, body=reply.body + b"\r\n  \0")


def _encoded(reply: Reply, declaration: bytes) -> Reply:
    text = _DECLARATION.sub(b"", reply.body).decode()
    content_type = reply.content_type.replace("utf-8", "windows-1250")
    return replace(
        reply, content_type=content_type, body=declaration + text.encode("cp1250", "xmlcharrefreplace")
    )
