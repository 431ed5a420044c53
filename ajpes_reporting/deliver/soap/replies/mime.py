"""Replies in MIME: multipart/related, as MTOM and SOAP with Attachments have it (RFC 2387, RFC 2046).

Parts are found where they lie in the file; none is ever held in memory. The headers of a part are the
business of the standard library's email package.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from io import BufferedReader
from itertools import pairwise
from typing import IO
from urllib.parse import unquote_to_bytes

from ajpes_reporting.deliver.soap.replies.section import BLANKS, BLOCK_BYTES, Section
from ajpes_reporting.deliver.soap.replies.unusable import UnusableReplyError, broken_off
from ajpes_reporting.i18n import _

_MOST_PARTS = 100
_LARGEST_HEAD_BYTES = 64 * 1024
_LONGEST_BOUNDARY = 200  # RFC 2046 allows 70
_READABLE = frozenset({"xml", "xop+xml", "soap+xml", "json"})
_LONGEST_LINE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a MIME message, still in its transfer encoding."""

    header: Message
    body: Section

    @property
    def charset(self) -> str:
        return str(self.header.get_content_charset() or "")

    @property
    def content_id(self) -> str:
        return _bare(str(self.header.get("Content-ID", "")))

    def content(self, into: IO[bytes]) -> Section:
        """Returns the content of a part: as it lies, or decoded into the file."""
        encoding = str(self.header.get("Content-Transfer-Encoding", "")).strip().lower()
        decode = _DECODERS.get(encoding)
        if decode is None:
            return self.body
        decode(self.body, into)
        return Section(into)


def header_of(content_type: str) -> Message:
    """A header with this Content-Type."""
    header = Message()
    header["Content-Type"] = content_type.replace("\r", " ").replace("\n", " ")
    return header


def boundary_in(header: Message, body: Section) -> bytes:
    """Returns the text between the parts; empty if this is no MIME message, whatever its header says."""
    first = body.trimmed().head(_LONGEST_BOUNDARY + 4)
    named = header.get_boundary() if header.get_content_maintype() == "multipart" else None
    if named and not first.startswith((b"<", b"{")):
        return str(named).encode("latin-1", "replace")[:_LONGEST_BOUNDARY]
    line = first.splitlines()[0].rstrip() if first else b""
    return line[2:_LONGEST_BOUNDARY] if line.startswith(b"--") else b""


def parts_of(body: Section, boundary: bytes) -> list[Part]:
    """The parts of a MIME message. Raises `UnusableReplyError` if it has none, or no end."""
    places = _delimiters(body, boundary)
    if len(places) < 2:
        raise UnusableReplyError(_("the reply says that it is MIME, and has no parts"))
    return [_part(body.part(end, begin)) for (_begin, end), (begin, _end) in pairwise(places)]


def root_of(parts: list[Part], header: Message) -> Part:
    """The part that it is about: the one that `start` names, or the first (RFC 2387, section 3.2).

    Of parts that give their type, the first that could be an answer.
    """
    start = _bare(str(header.get_param("start") or ""))
    readable = next((part for part in parts if part.header.get_content_subtype() in _READABLE), parts[0])
    return next((part for part in parts if start and part.content_id == start), readable)


def part_at(parts: list[Part], href: str) -> Part | None:
    """The part that a cid: address names (RFC 2392)."""
    name = unquote_to_bytes(href.partition(":")[2]).decode("utf-8", "replace")
    return next((part for part in parts if part.content_id == name), None)


def _delimiters(body: Section, boundary: bytes) -> list[tuple[int, int]]:
    """Yields the begin and end of each line between parts, up to the one after the last part."""
    places: list[tuple[int, int]] = []
    mark = b"--" + boundary
    body.seek(0)
    lines = BufferedReader(body, BLOCK_BYTES)
    offset, line_end = 0, b"\n"
    while line := lines.readline(_LONGEST_LINE_BYTES):
        if line_end and line.startswith(mark) and line[len(mark) :].rstrip() in (b"", b"--"):
            places.append((max(0, offset - len(line_end)), offset + len(line)))
            if line[len(mark) :].startswith(b"--"):
                return places
            if len(places) > _MOST_PARTS:
                raise UnusableReplyError(
                    _("the reply has more than {most_parts} parts", most_parts=_MOST_PARTS)
                )
        offset += len(line)
        line_end = line[len(line.rstrip(b"\r\n")) :] if line.endswith(b"\n") else b""
    raise broken_off(offset)


def _part(whole: Section) -> Part:
    head = whole.head(_LARGEST_HEAD_BYTES)
    if head.startswith((b"\r\n", b"\n")):
        return Part(Message(), whole.part(head.index(b"\n") + 1, whole.size_bytes))
    ends = [(head.find(gap), len(gap)) for gap in (b"\r\n\r\n", b"\n\n") if gap in head]
    if not ends:
        return Part(BytesHeaderParser().parsebytes(head), whole.part(0, 0))
    end, gap = min(ends)
    return Part(BytesHeaderParser().parsebytes(head[:end]), whole.part(end + gap, whole.size_bytes))


def _bare(content_id: str) -> str:
    return content_id.strip().removeprefix("<").removesuffix(">")


def decode_base64(body: Section, into: IO[bytes]) -> None:
    """Writes what it stands for. Raises `UnusableReplyError` if it is none."""
    body.seek(0)
    kept = b""
    try:
        while block := body.read(BLOCK_BYTES):
            letters = kept + block.translate(None, BLANKS)
            whole = len(letters) // 4 * 4
            into.write(binascii.a2b_base64(letters[:whole], strict_mode=True))
            kept = letters[whole:]
        into.write(binascii.a2b_base64(kept + b"=" * (-len(kept) % 4), strict_mode=True))
    except binascii.Error as error:
        raise UnusableReplyError(_("the reply says that it is base64, and is not")) from error


def _decode_quoted_printable(body: Section, into: IO[bytes]) -> None:
    body.seek(0)
    kept = b""
    while block := body.read(BLOCK_BYTES):
        lines, newline, kept = (kept + block).rpartition(b"\n")
        into.write(binascii.a2b_qp(lines + newline))
        if len(kept) > _LONGEST_LINE_BYTES:
            raise UnusableReplyError(_("the reply says that it is quoted-printable, and is not"))
    into.write(binascii.a2b_qp(kept))


_DECODERS = {"base64": decode_base64, "quoted-printable": _decode_quoted_printable}
