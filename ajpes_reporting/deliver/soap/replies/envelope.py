"""One pass over a SOAP envelope: finds the BlokOdgovor, the fault, the text of the result.

The envelope may be a quarter of a gigabyte and may come from anybody. It is parsed as a stream; a
DOCTYPE is refused, so there are no entities, and nothing is ever fetched. The answer is cut out
of it as it came, not written anew, wherever that makes what the instruction describes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from ajpes_reporting.deliver.soap.replies.answer import ROOT
from ajpes_reporting.deliver.soap.replies.section import BLOCK_BYTES, Section
from ajpes_reporting.deliver.soap.replies.unusable import UnusableReplyError, broken_off
from ajpes_reporting.deliver.soap.replies.vocabulary import ROWS, is_verdict, plain
from ajpes_reporting.deliver.soap.replies.xml_fields import DEEPEST, REFERRED_TO
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST_TOKEN_BYTES = 1 << 20  # a tag longer than this is an attack on the parser
_MOST_ATTRIBUTES = 1_000
_MOST_NAMES = 10_000  # of elements and attributes; the parser remembers each
_LONGEST_NAMES = 1 << 20  # of all of them
_LONGEST_FAULT = 2_000
_LONGEST_HREF = 1_000

_FAULT_AND_MORE = _("the reply contradicts itself: a fault, and something beside it")
_WEB_PAGE = _("the reply is a web page (HTML), not a SOAP envelope")
# SOAP 1.1 and SOAP 1.2.
_FAULT_PARTS = {
    ("faultcode",): "code",
    ("Code", "Value"): "code",
    ("Code", "Subcode", "Value"): "subcode",
    ("faultstring",): "text",
    ("Reason", "Text"): "text",
}
_DETAIL = ("detail", "Detail")
# An Ident with these stays as it is; with a service error, or in another notation, it does not.
_HEAD_ATTRIBUTES = frozenset({"iErr", "maticnaPonudnika", "datumPodatkov"})
_ELEMENTS = frozenset({"Ident", "Napaka", "Opis"})

_DOCUMENTS = ("<", "{", "[", "&lt;", "&#")

_BROKEN_OFF = {
    expat.errors.codes[message]
    for message in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault: whom it blames, and what it says."""

    code: str
    text: str

    @property
    def blames_sender(self) -> bool:
        """Whether by its code the message was turned away before anything was done with it."""
        return _FAULT_CODE.split(self.code)[-1].partition(".")[0].lower() in _NOT_PROCESSED


_FAULT_CODE = re.compile("[:}#/]")
_NOT_PROCESSED = frozenset(
    code.lower()
    for code in (
        # SOAP 1.1, section 4.4.1, also Client.Something; SOAP 1.2, part 1, section 5.4.6.
        "Client", "Sender", "MustUnderstand", "VersionMismatch",
        # WS-Security 1.1, section 12: each of them is said of the message.
        "UnsupportedSecurityToken", "UnsupportedAlgorithm", "InvalidSecurity", "InvalidSecurityToken",
        "FailedAuthentication", "FailedCheck", "SecurityTokenUnavailable", "MessageExpired",
        # WS-Addressing and WCF, in SOAP 1.1: no operation was found, or its parameters could not be read.
        "ActionNotSupported", "InvalidAddressingHeader", "MessageAddressingHeaderRequired",
        "DeserializationFailed",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of an answer: the offsets of its first and its last tag, in bytes."""

    name: str
    start: int
    last_tag: int
    inherited: dict[str, str]
    """Namespaces that the elements round it declare for it."""


class _Open(NamedTuple):
    """An element that has begun and is not, or not yet, part of an answer."""

    name: str
    start: int
    declared: dict[str, str]
    """The namespaces that it declares."""
    known: dict[str, str]
    """These, and those round it."""


class Scan:
    """The result of one pass. `text` takes the text of the result, if it looks like a document.

    `fault` are the parts of a fault, `href` is where the result lies if it lies elsewhere.
    """

    def __init__(self, document: Section, result: str, text: IO[bytes]) -> None:
        self.fault: dict[str, str] = {}
        self.has_text = False
        self.href = ""
        self.is_bare = False
        """Whether there is no envelope round it."""
        self.is_typed = False
        """Whether the answer is not called BlokOdgovor."""
        self.says_more = False
        """Whether there is something outside of an answer that may say yes or no."""
        self._document = document
        self._result = result
        self._text = text
        self._answer: _Place | None = None
        self._is_alone = True
        self._is_regular = True
        self._names_in_answer: set[str] = set()
        self._path: list[str] = []
        self._open: list[_Open] = [_Open("", 0, {}, {})]
        self._depth_in_answer = 0
        self._fault_depth = 0
        self._is_fresh = False
        self._takes_text = False
        self._parser = self._new_parser()
        self._read_all()

    @property
    def has_answer(self) -> bool:
        """Whether there is an element that is an answer, in whatever notation."""
        return self._answer is not None

    @property
    def is_answer_regular(self) -> bool:
        """Whether the answer can be cut out as it is, and there is nothing else that might belong to it."""
        return self._answer is not None and self._is_alone and self._is_regular and self._has_known_names()

    def copy_answer(self, to: Path) -> None:
        """Writes the answer as a document of its own, a BlokOdgovor."""
        assert self._answer is not None, "asked for where there is one"  # noqa: S101
        place = self._answer
        root = (place.name.rpartition(":")[0] + ":" + ROOT).removeprefix(":").encode()
        after_tag = place.start + len(b"<" + place.name.encode())
        with to.open("wb") as out:
            out.write(b'<?xml version="1.0" encoding="UTF-8"?>\n<' + root)
            out.write(_attributes(place.inherited).encode())
            self._document.seek(after_tag)
            _copy(self._document, out, place.last_tag - after_tag)
            out.write(b"</" + root + b">\n")

    def _has_known_names(self) -> bool:
        """Also that it says nothing of its notation: types, what is nil, what lies elsewhere."""
        assert self._answer is not None  # noqa: S101
        # Without a prefix the root is in the namespace of the rest only if that has no prefix, too.
        needs_none = ":" not in self._answer.name
        return all(
            name.rpartition(":")[2] in _ELEMENTS and not (needs_none and ":" in name)
            for name in self._names_in_answer
        ) and not any(name.endswith((":type", ":nil", ":href")) for name in self._parser.intern)

    def _new_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("UTF-8")
        parser.buffer_text = True
        parser.buffer_size = BLOCK_BYTES
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        return parser

    def _read_all(self) -> None:
        self._document.seek(0)
        fed = 0
        try:
            while block := self._document.read(BLOCK_BYTES):
                self._parser.Parse(block, False)
                fed += len(block)
                if fed - self._parser.CurrentByteIndex > _LARGEST_TOKEN_BYTES:
                    raise UnusableReplyError(
                        _(
                            "the reply holds a single tag of more than {largest_token_bytes:count} bytes",
                            largest_token_bytes=_LARGEST_TOKEN_BYTES,
                        )
                    )
                if len(self._parser.intern) > _MOST_NAMES:
                    raise UnusableReplyError(
                        _(
                            "the reply has more than {most_names:count} different names",
                            most_names=_MOST_NAMES,
                        )
                    )
                if sum(map(len, self._parser.intern)) > _LONGEST_NAMES:
                    raise UnusableReplyError(
                        _(
                            "the reply's names have more than {longest_names:count} characters",
                            longest_names=_LONGEST_NAMES,
                        )
                    )
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise self._explained(error, fed) from error

    def _explained(self, error: expat.ExpatError, fed: int) -> UnusableReplyError:
        if error.code in _BROKEN_OFF:
            return broken_off(fed)
        if not self._open[1:] and self._answer is None:
            return UnusableReplyError(_("the reply is not XML"))
        return UnusableReplyError(_("the reply is not well-formed XML ({error:foreign})", error=str(error)))

    def _refuse_doctype(self, name: str, *_rest: object) -> None:
        if name.lower() == "html":
            raise UnusableReplyError(_WEB_PAGE)
        raise UnusableReplyError(_("the reply holds a document type (DOCTYPE), which SOAP forbids"))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth_in_answer:
            self._depth_in_answer += 1
            if name not in self._names_in_answer:
                self._begin_first(name, attributes)
            return
        local = name.rpartition(":")[2]
        if not self._path:
            self._begin_document(local)
        if self._is_in_body:
            self._begin_in_body(name, local, attributes)
        else:
            self._begin_outside(name, local, attributes)

    @property
    def _is_in_body(self) -> bool:
        return self._path[1:2] == ["Body"]

    def _begin_document(self, local: str) -> None:
        if local.lower() == "html":
            raise UnusableReplyError(_WEB_PAGE)
        if local != "Envelope":
            self.is_bare = True
            self._path = ["", "Body"]  # as if it were in one

    def _begin_in_body(self, name: str, local: str, attributes: dict[str, str]) -> None:
        if self._answer is not None or self.fault:
            self._is_alone = False
        if self.fault and len(self._path) < self._fault_depth and local.lower() != REFERRED_TO:
            raise UnusableReplyError(_FAULT_AND_MORE)
        if local.lower() == ROOT.lower() and not self.fault:
            self._enter_answer(name, self._parser.CurrentByteIndex, self._open[-1].known, attributes)
        elif local.lower() == "ident" and self._is_alone and len(self._open) > 1 and not self.fault:
            self._enter_typed(name, attributes)
        else:
            self._begin_outside(name, local, attributes)

    def _begin_outside(self, name: str, local: str, attributes: dict[str, str]) -> None:
        self._path.append(local)
        self._declare(name, attributes)
        self._mind(local, attributes)
        self._is_fresh, self._takes_text = True, False
        if len(self._path) > DEEPEST:
            raise UnusableReplyError(
                _("the reply's elements are nested more than {deepest} deep", deepest=DEEPEST)
            )
        if self._path[-2:] == ["Body", "Fault"]:
            if self._answer is not None:
                raise UnusableReplyError(_("the reply contradicts itself: an answer, and a fault"))
            if not self._is_alone:
                raise UnusableReplyError(_FAULT_AND_MORE)
            self.fault = dict.fromkeys(("code", "subcode", "text", "detail"), "")
            self._fault_depth = len(self._path)
        elif self._is_in_body and not self.href and attributes.get("href", "").startswith("cid:"):
            self.href = attributes["href"][:_LONGEST_HREF]
        elif self.fault and self._path[self._fault_depth :] == ["Reason", "Text"]:
            self._add_to_fault(" ")

    def _declare(self, name: str, attributes: dict[str, str]) -> None:
        """Each element inherits what those round it declare, so a few long ones would fill the memory."""
        declared, known = _declared(attributes), self._open[-1].known
        known = known | declared if declared else known
        self._open.append(_Open(name, self._parser.CurrentByteIndex, declared, known))
        if max(len(attributes), len(known)) > _MOST_ATTRIBUTES:
            local = self._path[-1]
            raise UnusableReplyError(
                _(
                    "the reply's element {local} has more than {most_attributes:count} attributes",
                    local=local[:40],
                    most_attributes=_MOST_ATTRIBUTES,
                )
            )

    def _mind(self, local: str, attributes: dict[str, str]) -> None:
        """Notes whether an element round or beside an answer says something about the report, too."""
        if not self._is_in_body:
            return
        by_attribute = any(map(is_verdict, map(plain, attributes)))
        self._is_regular &= not by_attribute
        self.says_more |= by_attribute or is_verdict(plain(local)) or plain(local) in ROWS

    def _end(self, _name: str) -> None:
        if self._depth_in_answer:
            self._depth_in_answer -= 1
            if self._depth_in_answer == 0:
                self._leave_answer()
            return
        is_content = self._is_in_body and len(self._path) > 2 and "Header" not in self._path
        if self._answer is None and is_content:
            self._is_alone = False  # something came before it that is not round it
        self._is_fresh = False
        self._path.pop()
        self._open.pop()

    def _enter_typed(self, name: str, attributes: dict[str, str]) -> None:
        """An Ident without a BlokOdgovor: what is round it is the answer."""
        wrapper = self._open[-1]
        inherited = self._open[-2].known
        self.is_typed = True
        self._is_regular &= self._path[-1] != "Body"
        self._answer = _Place(wrapper.name, wrapper.start, 0, _without(inherited, wrapper.declared))
        self._path.pop()
        self._open.pop()
        self._depth_in_answer = 2
        self._begin_first(name, attributes)

    def _enter_answer(self, name: str, start: int, known: dict[str, str], attributes: dict[str, str]) -> None:
        if self._answer is not None and not self.is_typed:
            raise UnusableReplyError(_("the reply holds more than one BlokOdgovor"))
        self._is_regular &= name.rpartition(":")[2] == ROOT
        self._mind(ROOT, attributes)
        self._answer = _Place(name, start, 0, _without(known, _declared(attributes)))
        self._depth_in_answer = 1
        self._is_fresh, self._takes_text = True, False

    def _begin_first(self, name: str, attributes: dict[str, str]) -> None:
        """The first element of each name in an answer."""
        if not self._names_in_answer:
            self._parser.CharacterDataHandler = None  # a million rows need not pass through Python
        self._names_in_answer.add(name)
        if name.rpartition(":")[2].lower() == "ident":
            self._is_regular &= attributes.keys() >= _HEAD_ATTRIBUTES and "idnapake" not in map(
                str.lower, attributes
            )
            self._is_regular &= not _declared(attributes)

    def _leave_answer(self) -> None:
        assert self._answer is not None  # noqa: S101
        self._parser.CharacterDataHandler = self._characters
        if self._names_in_answer:
            self._answer = replace(self._answer, last_tag=self._parser.CurrentByteIndex)
        elif self.has_text:
            self._answer = None
        else:
            raise UnusableReplyError(_("the reply's BlokOdgovor is empty"))

    def _characters(self, data: str) -> None:
        if self.fault:
            self._add_to_fault(data)
            return
        if self._is_fresh and data.strip():
            self._is_fresh = False
            self._takes_text = self._is_in_body and self._is_document(data)
        if self._takes_text:
            self._text.write(data.encode())

    def _is_document(self, data: str) -> bool:
        is_result = self._path[-1].lower() == self._result.lower() or self._depth_in_answer == 1
        if not (is_result or data.lstrip("\ufeff \t\r\n").startswith(_DOCUMENTS)):
            return False
        if self.has_text:
            raise UnusableReplyError(_("the reply holds more than one document as text"))
        self.has_text = True
        return True

    def _add_to_fault(self, data: str) -> None:
        inside = tuple(self._path[self._fault_depth :])
        part = "detail" if inside[:1] and inside[0] in _DETAIL else _FAULT_PARTS.get(inside)
        if part:
            separator = " " if part == "detail" else ""
            self.fault[part] = (self.fault[part] + separator + data)[:_LONGEST_FAULT]


def fault_of(parts: dict[str, str]) -> Fault:
    """The fault, with the reason that often stands only in its detail."""
    told = {name: " ".join(text.split()) for name, text in parts.items()}
    text = told["text"]
    further = (told["subcode"].rpartition(":")[2], told["detail"])
    more = [each for each in further if each and each not in text]
    if more and text:
        text = f"{text} ({'; '.join(more)})"
    return Fault(told["code"], text or "; ".join(more))


def _without(namespaces: dict[str, str], own: dict[str, str]) -> dict[str, str]:
    return {prefix: uri for prefix, uri in namespaces.items() if prefix not in own}


def _declared(attributes: dict[str, str]) -> dict[str, str]:
    return {name: uri for name, uri in attributes.items() if name == "xmlns" or name.startswith("xmlns:")}


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items())


def _copy(source: Section, target: IO[bytes], size_bytes: int) -> None:
    while size_bytes > 0 and (block := source.read(min(size_bytes, BLOCK_BYTES))):
        target.write(block)
        size_bytes -= len(block)
