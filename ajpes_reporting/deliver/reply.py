"""Reading a SOAP reply: is there a BlokOdgovor in it, or a fault?

The reply may be a quarter of a gigabyte and may come from anybody. It is parsed as a stream; a
DOCTYPE is refused, so there are no entities, and nothing is ever fetched. The answer is cut out
of it as it came, not written anew.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

if TYPE_CHECKING:
    from pathlib import Path

_ANSWER = "BlokOdgovor"
_BLOCK_BYTES = 1 << 20
_LARGEST_TOKEN_BYTES = 1 << 20  # a tag longer than this is an attack on the parser
_MOST_ATTRIBUTES = 1_000
_MOST_NAMES = 10_000  # of elements and attributes; the parser remembers each
_DEEPEST = 100
_LONGEST_FAULT = 2_000

_WEB_PAGE = "it is a web page (HTML), not a SOAP envelope"
# SOAP 1.1 and SOAP 1.2.
_FAULT_PARTS = {
    ("faultcode",): "code",
    ("Code", "Value"): "code",
    ("faultstring",): "text",
    ("Reason", "Text"): "text",
}

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_XML_DECLARATION = re.compile(r"^[\ufeff\s]*(<\?xml\s[^>]*\?>\s*)?")
_DECLARED_ENCODING = re.compile(rb"""^(?:\xef\xbb\xbf)?<\?xml\s[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)""")
_ENCODINGS = {"utf-8", "us-ascii", "utf-16", "iso-8859-1", "iso-8859-2", "windows-1250", "windows-1252"}

_BROKEN_OFF = {
    expat.errors.codes[message]
    for message in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
}


class UnusableReplyError(Exception):
    """The reply makes no sense. Its text is a clause: "it is a web page (HTML), not SOAP"."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault: whom it blames, and what it says."""

    code: str
    text: str

    @property
    def blames_sender(self) -> bool:
        """Client (SOAP 1.1, section 4.4.1, also Client.Something) or Sender (SOAP 1.2)."""
        return self.code.rpartition(":")[2].split(".")[0] in {"Client", "Sender"}


def extract_answer(envelope: Path, answer: Path, result: str) -> Fault | None:
    """Copies the BlokOdgovor of a SOAP reply into the file `answer`; returns the fault if it is one.

    The BlokOdgovor may stand in the body as an element, in any namespace or none, or as text
    (escaped or CDATA) in the element with the local name `result`. The file is in UTF-8.
    Raises `UnusableReplyError` where the reply holds neither, or is no whole and harmless SOAP envelope, and
    also for what nobody foresaw: the report is with the authority, and that must not be forgotten.
    """
    try:
        return _extract(envelope, answer, result)
    except UnusableReplyError:
        raise
    except OSError as error:
        raise UnusableReplyError(f"it cannot be read on this machine ({error.strerror or error})") from error
    except Exception as error:
        raise UnusableReplyError(f"it makes no sense to this program ({type(error).__name__})") from error


def _extract(envelope: Path, answer: Path, result: str) -> Fault | None:
    with envelope.open("rb") as raw, TemporaryFile() as converted, TemporaryFile() as text:
        stream = _in_utf8(raw, converted)
        scan = _Scan(stream, result, text)
        if scan.fault:
            return Fault(scan.fault["code"].strip(), scan.fault["text"].strip())
        if scan.answer is None and scan.has_text:
            scan = _Scan(text, result, converted)
        scan.copy_answer(answer)
    return None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a BlokOdgovor lies: the offsets of its first and its last tag, in bytes."""

    name: str
    start: int
    last_tag: int
    inherited: dict[str, str]
    """Namespaces that the elements round it declare for it."""


class _Scan:
    """One pass over an envelope: finds the BlokOdgovor, the fault, the text of the result.

    That text goes into the file `text`, with an envelope put round it, to be scanned in turn.
    """

    def __init__(self, stream: IO[bytes], result: str, text: IO[bytes]) -> None:
        self.answer: _Place | None = None
        self.fault: dict[str, str] = {}
        self.has_text = False
        self._stream = stream
        self._result = result
        self._text = text
        self._path: list[str] = []
        self._namespaces: list[dict[str, str]] = [{}]
        self._depth_in_answer = 0
        self._answer_is_empty = True
        self._parser = self._new_parser()
        self._read_all()
        if self.has_text:
            text.write(b"</Body></Envelope>")

    def copy_answer(self, to: Path) -> None:
        """Writes the BlokOdgovor as a document of its own."""
        if self.answer is None:
            raise UnusableReplyError("it is a SOAP envelope, but holds no BlokOdgovor")
        tag = b"<" + self.answer.name.encode()
        after_tag = self.answer.start + len(tag)
        with to.open("wb") as out:
            out.write(b'<?xml version="1.0" encoding="UTF-8"?>\n' + tag)
            out.write(_attributes(self.answer.inherited).encode())
            self._stream.seek(after_tag)
            _copy(self._stream, out, self.answer.last_tag - after_tag)
            out.write(b"</" + self.answer.name.encode() + b">\n")

    def _new_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("UTF-8")
        parser.buffer_text = True
        parser.buffer_size = _BLOCK_BYTES
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        return parser

    def _read_all(self) -> None:
        self._stream.seek(0)
        fed = 0
        try:
            while block := self._stream.read(_BLOCK_BYTES):
                self._parser.Parse(block, False)
                fed += len(block)
                if fed - self._parser.CurrentByteIndex > _LARGEST_TOKEN_BYTES:
                    raise UnusableReplyError(
                        f"it holds a single tag of more than {_LARGEST_TOKEN_BYTES:,} bytes"
                    )
                if len(self._parser.intern) > _MOST_NAMES:
                    raise UnusableReplyError(f"it has more than {_MOST_NAMES:,} different names")
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise UnusableReplyError(self._explain(error, fed)) from error

    def _refuse_doctype(self, name: str, *_rest: object) -> None:
        if name.lower() == "html":
            raise UnusableReplyError(_WEB_PAGE)
        raise UnusableReplyError("it holds a document type (DOCTYPE), which SOAP forbids")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth_in_answer:
            self._depth_in_answer += 1
            self._answer_is_empty = False
            return
        local = name.rpartition(":")[2]
        if not self._path:
            _check_root(local)
        if local == _ANSWER and self._path[1:2] == ["Body"] and not self.fault:
            self._enter_answer(name, attributes)
            return
        self._path.append(local)
        self._declare(local, attributes)
        if len(self._path) > _DEEPEST:
            raise UnusableReplyError(f"its elements are nested more than {_DEEPEST} deep")
        if self._path[1:] == ["Body", "Fault"]:
            self.fault = {"code": "", "text": ""}

    def _declare(self, local: str, attributes: dict[str, str]) -> None:
        """Each element inherits what those round it declare, so a few long ones would fill the memory."""
        declared = _declared(attributes)
        self._namespaces.append(self._namespaces[-1] | declared if declared else self._namespaces[-1])
        if max(len(attributes), len(self._namespaces[-1])) > _MOST_ATTRIBUTES:
            raise UnusableReplyError(
                f"its element {local[:40]} has more than {_MOST_ATTRIBUTES:,} attributes"
            )

    def _end(self, _name: str) -> None:
        if self._depth_in_answer:
            self._leave_answer()
        else:
            self._path.pop()
            self._namespaces.pop()

    def _enter_answer(self, name: str, attributes: dict[str, str]) -> None:
        if self.answer is not None:
            raise UnusableReplyError("it holds more than one BlokOdgovor")
        own = _declared(attributes)
        inherited = {prefix: uri for prefix, uri in self._namespaces[-1].items() if prefix not in own}
        self.answer = _Place(name, self._parser.CurrentByteIndex, 0, inherited)
        self._depth_in_answer = 1
        self._parser.CharacterDataHandler = None  # a million rows need not pass through Python

    def _leave_answer(self) -> None:
        self._depth_in_answer -= 1
        if self._answer_is_empty:
            raise UnusableReplyError("its BlokOdgovor is empty")
        if self._depth_in_answer == 0 and self.answer is not None:
            self.answer = replace(self.answer, last_tag=self._parser.CurrentByteIndex)
            self._parser.CharacterDataHandler = self._characters

    def _characters(self, data: str) -> None:
        if self.fault:
            self._add_to_fault(data)
        elif self._path[-1] == self._result and (self.has_text or data.strip()):
            self._add_to_text(data)

    def _add_to_text(self, data: str) -> None:
        if not self.has_text:
            self.has_text = True
            # Its own XML declaration often names UTF-16, the encoding of strings in .NET.
            data = "<Envelope><Body>" + _XML_DECLARATION.sub("", data)
        self._text.write(data.encode())

    def _add_to_fault(self, data: str) -> None:
        part = _FAULT_PARTS.get(tuple(self._path[3:]))
        if part:
            self.fault[part] = (self.fault[part] + data)[:_LONGEST_FAULT]

    def _explain(self, error: expat.ExpatError, fed: int) -> str:
        if fed and error.code in _BROKEN_OFF:
            return f"it breaks off after {fed:,} bytes"
        if not self._path:
            return "it is not XML" if fed else "it is empty"
        return f"it is not well-formed XML ({error})"


def _check_root(local: str) -> None:
    if local.lower() == "html":
        raise UnusableReplyError(_WEB_PAGE)
    if local != "Envelope":
        raise UnusableReplyError(f"it is an XML document {local[:40]!r}, not a SOAP envelope")


def _declared(attributes: dict[str, str]) -> dict[str, str]:
    return {name: uri for name, uri in attributes.items() if name == "xmlns" or name.startswith("xmlns:")}


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items())


def _copy(source: IO[bytes], target: IO[bytes], size_bytes: int) -> None:
    while size_bytes > 0 and (block := source.read(min(size_bytes, _BLOCK_BYTES))):
        target.write(block)
        size_bytes -= len(block)


def _in_utf8(raw: IO[bytes], converted: IO[bytes]) -> IO[bytes]:
    """The reply in UTF-8: itself, or its conversion in the given file."""
    encoding = _encoding(raw)
    if encoding in {"utf-8", "us-ascii"}:
        return raw
    raw.seek(0)
    reader = codecs.getreader(encoding)(raw)
    try:
        while characters := reader.read(_BLOCK_BYTES):
            converted.write(characters.encode())
    except UnicodeError as error:
        raise UnusableReplyError(f"it says it is in {encoding}, and is not") from error
    return converted


def _encoding(raw: IO[bytes]) -> str:
    head = raw.read(200)
    if head[:2] in _UTF16_MARKS:
        return "utf-16"
    declared = _DECLARED_ENCODING.match(head)
    encoding = declared[1].decode().lower() if declared else "utf-8"
    if encoding not in _ENCODINGS:
        raise UnusableReplyError(f"it is in the encoding {encoding[:40]!r}, which is not understood here")
    return encoding
