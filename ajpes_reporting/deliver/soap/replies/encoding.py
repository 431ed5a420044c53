"""Finds the encoding of a reply: by its header, its byte order mark, then its declaration.

That order is the one of RFC 7303 for what nobody marks, and where they contradict each other the header
counts. What a name promises is tried: a name that nobody knows, or that the bytes contradict, is passed over
and told. What is in UTF-8 is read as it lies.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from ajpes_reporting.deliver.soap.replies.section import BLANKS, BLOCK_BYTES, Section
from ajpes_reporting.deliver.soap.replies.unusable import UnusableReplyError
from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD_BYTES = 1_024
_UTF8 = frozenset({"utf-8", "ascii", "utf-8-sig"})  # as Python calls them
# What reads code as text, or hides markup from whoever looks at the bytes.
_NOT_TAKEN = frozenset(
    {"utf-7", "idna", "punycode", "unicode-escape", "unicode_escape", "raw-unicode-escape"}
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]+)""")
_BEGINNINGS = '<{["'
_LAST_RESORT = "cp1250"


@dataclass(frozen=True, slots=True)
class Text:
    """A document in UTF-8, without blanks round it, and what had to be done for that.

    `is_proven` says that its bytes were looked at; otherwise whoever reads it sees whether they are right.
    """

    content: Section
    deviations: tuple[Message, ...] = ()
    is_proven: bool = True


def in_utf8(raw: Section, charset: str, into: IO[bytes]) -> Text:
    """The document in UTF-8: as it lies, or converted into the file. `charset` is what its header says."""
    names = _Names(raw.head(_HEAD_BYTES), charset)
    if names.candidates[0] == "utf-8":
        return Text(unmarked(raw), names.deviations, is_proven=False)
    for name in names.candidates:
        begin = _beginning(raw, name)
        if _begins_well(begin, name) and (converted := _converted(begin, name, into)) is not None:
            is_as_told = name == names.candidates[0]
            spoken = _spoken(name)
            if is_as_told:
                note = _("the reply came in {encoding}", encoding=spoken)
            else:
                note = _("the reply came in {encoding}, whatever it says", encoding=spoken)
            return Text(converted, (*names.deviations, note))
    raise UnusableReplyError(
        _("the reply says it is in {encoding}, and is not", encoding=_spoken(names.candidates[0]))
    )


def by_other_means(raw: Section, charset: str, into: IO[bytes]) -> Text | None:
    """Converts a reply that turned out not to be UTF-8; None if it is UTF-8 and broken otherwise."""
    # UTF-16 can be UTF-8 with a NUL at every other place; then its beginning shows it.
    if (
        not _seen_in(raw.head(_HEAD_BYTES)).startswith("utf-16")
        and _converted(raw, "utf-8", None) is not None
    ):
        return None
    others = [name for name in _Names(raw.head(_HEAD_BYTES), charset).candidates if name != "utf-8"]
    for name in (*others, _LAST_RESORT):
        begin = _beginning(raw, name)
        errors = "replace" if name == _LAST_RESORT else "strict"
        if _begins_well(begin, name) and (converted := _converted(begin, name, into, errors)) is not None:
            return Text(
                converted,
                (_("the reply's bytes are not UTF-8, and were read as {encoding}", encoding=_spoken(name)),),
            )
    return None


class _Names:
    """The encodings that a document might be in, the likeliest first, and what is odd about what it says."""

    def __init__(self, head: bytes, charset: str) -> None:
        said: list[str] = []
        odd: list[Message] = []
        for name in _told(head, charset):
            canonical = _canonical(name, head)
            if canonical:
                said.append(canonical)
            else:
                odd.append(
                    _("the reply names the encoding {name:quoted}, which is not known here", name=name[:40])
                )
        different = list(dict.fromkeys(said))
        if len(different) > 1:
            odd.append(
                _("the reply is said to be in {encodings:and}", encodings=list(map(_spoken, different)))
            )
        self.candidates = list(dict.fromkeys((*said, "utf-8")))
        self.deviations = tuple(odd)


def _told(head: bytes, charset: str) -> Iterator[str]:
    if charset:
        yield charset
    if seen := _seen_in(head):
        yield seen
    declared = _DECLARED.search(head.replace(b"\0", b""))  # without them UTF-16 can be read so far
    # Strings of .NET say UTF-16 whatever they are in; a declaration in UTF-16 never contradicts its bytes.
    if declared and not declared[1].lower().startswith(b"utf-16") and not seen.startswith("utf-16"):
        yield declared[1].decode()


def _seen_in(head: bytes) -> str:
    """Returns the encoding that the first bytes show: a byte order mark, or the NULs of UTF-16."""
    begin = len(head) - len(head.lstrip(BLANKS))
    marked = next((name for mark, name in _MARKS if head.startswith(mark, begin)), "")
    if marked or head[begin + 1 : begin + 2] != b"\0":
        return marked
    return "utf-16-be" if begin % 2 else "utf-16-le"


def _canonical(name: str, head: bytes) -> str:
    """Returns Python's name of an encoding; empty if there is none, or it is not accepted."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return ""
    if found.name in _NOT_TAKEN or not getattr(found, "_is_text_encoding", True):
        return ""
    if found.name == "utf-16":
        seen = _seen_in(head)
        return seen if seen.startswith("utf-16") else "utf-16-le"
    return "utf-8" if found.name in _UTF8 else found.name


def _spoken(name: str) -> str:
    return name.replace("cp125", "windows-125")


def unmarked(raw: Section) -> Section:
    """A document in UTF-8 without a byte order mark, and without blanks round it."""
    content = raw.trimmed()
    if content.head(3) == codecs.BOM_UTF8:
        content = content.part(3, content.size_bytes).trimmed()
    return content


def _beginning(raw: Section, name: str) -> Section:
    """UTF-16 begins at its mark or first character: blanks of one byte before it would put it out of step."""
    if not name.startswith("utf-16"):
        return unmarked(raw)
    head = raw.head(_HEAD_BYTES)
    begin = len(head) - len(head.lstrip(BLANKS))
    if name == "utf-16-be" and not head.startswith(codecs.BOM_UTF16_BE, begin):
        begin = max(0, begin - 1)  # its first character begins with a NUL
    return raw.part(begin, raw.size_bytes)


def _begins_well(content: Section, name: str) -> bool:
    head = content.head(_HEAD_BYTES).decode(name, "ignore")
    return head.lstrip("\ufeff \t\r\n\0")[:1] in tuple(_BEGINNINGS)


def _converted(content: Section, name: str, into: IO[bytes] | None, errors: str = "strict") -> Section | None:
    """Converts from an encoding; None if the bytes are not in it. Without a file it is only tried."""
    decoder = codecs.getincrementaldecoder(name)(errors)
    if into is not None:
        into.seek(0)
        into.truncate()
    content.seek(0)
    try:
        while block := content.read(BLOCK_BYTES):
            characters = decoder.decode(block)
            if into is not None:
                into.write(characters.encode())
        decoder.decode(b"", not name.startswith("utf-16"))  # half a NUL at the end does no harm
    except UnicodeError:
        return None
    return content if into is None else unmarked(Section(into))
