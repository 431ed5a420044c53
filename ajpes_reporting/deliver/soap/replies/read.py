"""Reads a reply for its verdict, through whatever it is wrapped in.

From outside inwards: MIME, the encoding, then XML, JSON or base64, each of which may hold the next document
as text. What was not as the instruction describes it is told; only a verdict that is missing, or that
contradicts itself, makes a reply unusable.
"""

from __future__ import annotations

import binascii
import re
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from ajpes_reporting.deliver.soap.replies import encoding, json_fields, mime, xml_fields
from ajpes_reporting.deliver.soap.replies.answer import Call, refuses, write_answer
from ajpes_reporting.deliver.soap.replies.envelope import Fault, Scan, fault_of
from ajpes_reporting.deliver.soap.replies.gathered import Gathered
from ajpes_reporting.deliver.soap.replies.section import BLOCK_BYTES, Section
from ajpes_reporting.deliver.soap.replies.unusable import UnusableReplyError
from ajpes_reporting.deliver.soap.replies.verdict import Refusal, judge, says_no
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.i18n.system import system_reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DEEPEST = 5  # of documents in documents
_BEGINNING_BYTES = 64
_LONGEST_DECLARATION = 1_024
_DECLARATION = re.compile(rb"<\?xml\s[^>]*\?>\s*")


@dataclass(frozen=True, slots=True)
class Question:
    """The facts known of a reply before it is read.

    `result` is the local name of the element that may hold the answer as text.
    """

    result: str
    content_type: str = ""
    call: Call | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of reading a reply: an answer in its file, a fault, or a refusal without an answer.

    `deviations` tells what of it was not as the instruction describes it, each a clause: "the reply
    came in MIME".
    """

    fault: Fault | None = None
    refusal: Refusal | None = None
    deviations: tuple[Message, ...] = ()

    @property
    def is_definite(self) -> bool:
        """Whether the service itself says what became of the report; a fault may be its server's."""
        return self.fault is None and (self.refusal is None or self.refusal.is_definite)

    def accepts(self, answer: Path) -> bool:
        """Whether the report is accepted, with or without warnings."""
        return self.fault is None and self.refusal is None and not refuses(answer)


def read_reply(reply: Path, answer: Path, question: Question) -> Reading:
    """Reads the file `reply`; the BlokOdgovor in it is then the file `answer`, in UTF-8.

    Raises `UnusableReplyError` where it gives no verdict, or is not whole and harmless, and also for what
    nobody foresaw: the report is with the authority, and that must not be forgotten.
    """
    try:
        with reply.open("rb") as raw, ExitStack() as files:
            return _Reader(answer, question, files).read(Section(raw))
    except UnusableReplyError:
        raise
    except OSError as error:
        raise UnusableReplyError(
            _("the reply cannot be read on this machine ({reason})", reason=system_reason(error))
        ) from error
    except Exception as error:
        raise UnusableReplyError(
            _("the reply makes no sense to this program ({error})", error=type(error).__name__)
        ) from error


@dataclass(slots=True)
class _Reader:
    _answer: Path
    _question: Question
    _files: ExitStack
    _deviations: list[Message] = field(default_factory=list)
    _parts: list[mime.Part] = field(default_factory=list)
    _depth: int = 0

    def read(self, body: Section) -> Reading:
        header = mime.header_of(self._question.content_type)
        if boundary := mime.boundary_in(header, body):
            self._parts = mime.parts_of(body, boundary)
            self._deviations.append(_("the reply came in MIME"))
            return self._part(mime.root_of(self._parts, header))
        return self._document(body, str(header.get_content_charset() or ""))

    def _part(self, part: mime.Part) -> Reading:
        return self._document(part.content(self._file()), part.charset)

    def _document(self, raw: Section, charset: str = "") -> Reading:
        self._go_deeper()
        if not raw.trimmed().size_bytes:
            raise UnusableReplyError(
                _("the reply holds nothing but blanks") if raw.size_bytes else _("the reply is empty")
            )
        text = encoding.in_utf8(raw, charset, into := self._file())
        try:
            return self._text(text)
        except UnusableReplyError:
            other = None if text.is_proven else encoding.by_other_means(raw, charset, into)
            if other is None:
                raise
        return self._text(other)

    def _go_deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise UnusableReplyError(
                _("the reply holds more than {deepest} documents in one another", deepest=_DEEPEST)
            )

    def _text(self, text: encoding.Text) -> Reading:
        before = len(self._deviations)
        self._deviations.extend(text.deviations)
        try:
            return self._reader_for(text.content)(text.content)
        except UnusableReplyError:
            del self._deviations[before:]
            raise

    def _reader_for(self, content: Section) -> Callable[[Section], Reading]:
        begin = content.head(_BEGINNING_BYTES)
        for begins, read in self._readers():
            if begins(begin):
                return read
        if self._depth == 1:
            raise UnusableReplyError(_("the reply is not XML or JSON"))
        raise UnusableReplyError(
            _(
                "the reply is a SOAP envelope, but holds no BlokOdgovor, only {beginning:quoted}",
                beginning=begin.decode("utf-8", "ignore"),
            )
        )

    def _readers(self) -> tuple[tuple[Callable[[bytes], bool], Callable[[Section], Reading]], ...]:
        """Returns the readers that fit a document by its first bytes."""
        return (
            (lambda begin: begin.startswith(b"<"), self._xml),
            (lambda begin: begin.startswith((b"{", b"[", b'"')), self._json),
            (lambda begin: begin.startswith(b"&"), self._escaped),
            (_is_base64, self._base64),
        )

    def _xml(self, document: Section) -> Reading:
        document = _undeclared(document)
        if self._depth > 1:
            document = self._wrapped(document, b"<Envelope><Body>", b"</Body></Envelope>")
        scan = Scan(document, self._question.result, text := self._file())
        if scan.fault:
            return self._reading(fault=fault_of(scan.fault))
        if scan.is_bare:
            self._deviations.append(_("the reply came without a SOAP envelope"))
        if scan.has_answer and scan.has_text:
            return self._beside(text, partial(self._gathered_xml, document, scan))
        if scan.is_answer_regular:
            if scan.is_typed:
                self._deviations.append(_("the answer in it is a typed result"))
            scan.copy_answer(self._answer)
            return self._reading()
        if not scan.has_answer and (scan.has_text or scan.href):
            read = partial(self._inside, text) if scan.has_text else partial(self._attached, scan.href)
            return self._within(self._gathered(document), read) if scan.says_more else read()
        return self._gathered_xml(document, scan)

    def _gathered(self, document: Section) -> Gathered:
        gathered = Gathered(self._file())
        xml_fields.gather(document, gathered)
        return gathered

    def _gathered_xml(self, document: Section, scan: Scan) -> Reading:
        gathered = self._gathered(document)
        if not scan.has_answer and not gathered.says_anything:
            raise UnusableReplyError(_NO_ANSWER if not scan.is_bare else _NO_ENVELOPE)
        reading = self._judged(gathered)
        if reading.refusal is not None:
            return reading
        return replace(
            reading, deviations=(*reading.deviations, _("the answer was put into the form of a BlokOdgovor"))
        )

    def _json(self, document: Section) -> Reading:
        gathered = Gathered(self._file())
        holds_text = json_fields.gather(document, gathered, text := self._file())
        self._deviations.append(_("the reply came as JSON"))
        if holds_text:
            return self._within(gathered, partial(self._inside, text))
        return self._judged(gathered)

    def _within(self, round_it: Gathered, read: Callable[[], Reading]) -> Reading:
        """Returns the reading of an inner document, unless the outer one refuses and the inner accepts."""
        before = len(self._deviations)
        is_refused = says_no(round_it)
        try:
            reading = read()
        except UnusableReplyError:
            if not is_refused:
                raise
            del self._deviations[before:]
            return self._judged(round_it)
        if (is_refused or round_it.has_named_errors) and reading.accepts(self._answer):
            raise UnusableReplyError(
                _("the reply contradicts itself: a refusal, and an acceptance within it")
            )
        return reading

    def _beside(self, text: IO[bytes], read: Callable[[], Reading]) -> Reading:
        """Returns the reading of elements, unless a document beside them as text contradicts it."""
        before = len(self._deviations)
        also_accepted: bool | None = None
        with suppress(UnusableReplyError):  # it need not be an answer
            also_accepted = self._inside(text).accepts(self._answer)
        del self._deviations[before:]
        reading = read()
        if also_accepted is not None and reading.accepts(self._answer) != also_accepted:
            raise UnusableReplyError(_("the reply contradicts itself: an acceptance, and a refusal"))
        return reading

    def _judged(self, gathered: Gathered) -> Reading:
        verdict = judge(gathered)
        if isinstance(verdict, Refusal):
            return self._reading(refusal=verdict)
        self._deviations.extend(write_answer(gathered, verdict, self._question.call, self._answer))
        return self._reading()

    def _escaped(self, document: Section) -> Reading:
        return self._xml(self._wrapped(document, b"<text>", b"</text>"))

    def _base64(self, document: Section) -> Reading:
        mime.decode_base64(document, into := self._file())
        self._deviations.append(_("the reply came in base64"))
        return self._document(Section(into))

    def _inside(self, text: IO[bytes]) -> Reading:
        if _AS_TEXT not in self._deviations:
            self._deviations.append(_AS_TEXT)
        # It was decoded with the document round it, whatever its own declaration says.
        self._go_deeper()
        return self._text(encoding.Text(encoding.unmarked(Section(text))))

    def _attached(self, href: str) -> Reading:
        part = mime.part_at(self._parts, href)
        if part is None:
            raise UnusableReplyError(_("the answer is said to be in a part that is not there"))
        return self._part(part)

    def _wrapped(self, document: Section, head: bytes, tail: bytes) -> Section:
        wrapped = self._file()
        wrapped.write(head)
        document.seek(0)
        copyfileobj(document, wrapped, BLOCK_BYTES)
        wrapped.write(tail)
        return Section(wrapped)

    def _file(self) -> IO[bytes]:
        return self._files.enter_context(TemporaryFile())

    def _reading(self, fault: Fault | None = None, refusal: Refusal | None = None) -> Reading:
        return Reading(fault, refusal, tuple(self._deviations))


_AS_TEXT = _("the reply holds its answer as text")
_NO_ANSWER = _("the reply is a SOAP envelope, but holds no BlokOdgovor")
_NO_ENVELOPE = _("the reply is neither a SOAP envelope nor an answer")


def _undeclared(document: Section) -> Section:
    """Returns the part after the XML declaration, which may be wrong, or come to be in the middle."""
    declaration = _DECLARATION.match(document.head(_LONGEST_DECLARATION))
    return document.part(declaration.end(), document.size_bytes) if declaration else document


def _is_base64(begin: bytes) -> bool:
    """Whether what these letters stand for begins like a document."""
    letters = begin.translate(None, b" \t\r\n")
    try:
        decoded = binascii.a2b_base64(letters[: len(letters) // 4 * 4], strict_mode=True)
    except binascii.Error:
        return False
    return decoded.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] in (b"<", b"{", b"[")
