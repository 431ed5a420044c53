"""The report as it stands in a message: streamed from its file, its length known beforehand.

As it is, escaped, as CDATA, in Base64, or with the tags of its root rewritten where the WSDL gives the
root another name, or what it holds another namespace.
"""

from __future__ import annotations

import base64
import codecs
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from ajpes_reporting.deliver.soap.shape import DocumentForm
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ajpes_reporting.domain.ports import Parcel

_BLOCK_BYTES = 48 * 1024  # whole groups of three, as Base64 wants them
_HEAD_BYTES = 64 * 1024

_PROLOGUE = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml\s[^>]*\?>)?\s*")
_ROOT = re.compile(rb"(?:\s|<!--.*?-->|<\?.*?\?>)*<[^!?]", re.DOTALL)
_UTF8_DECLARED = re.compile(rb"""encoding\s*=\s*["']utf-?8["']""", re.IGNORECASE)
_VERSION_DECLARED = re.compile(rb"""version\s*=\s*["']1\.0["']""")
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SCHEMA_HINTS = "http://www.w3.org/2001/XMLSchema-instance"


@dataclass(frozen=True, slots=True)
class Declared:
    """An element of the report as the WSDL declares it: its namespace, "" for none, and what it holds."""

    namespace: str
    children: Mapping[str, Declared]


@dataclass(frozen=True, slots=True)
class RootTag:
    """The name of the report's root in the message.

    `content` are the elements in it as the WSDL declares them, by name; those that it does not
    declare keep the namespace of the file.
    """

    name: str
    namespace: str
    content: Mapping[str, Declared]
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Payload:
    """The report in its form: how long it is, and its blocks, which tell how much of the file is read."""

    size_bytes: int
    blocks: Callable[[Progress], Iterator[bytes]]


def make_payload(parcel: Parcel, form: DocumentForm, root: RootTag | None) -> Payload:
    """The report of a parcel as it goes into the message.

    Raises `UsageError` if the file has changed, is not XML 1.0 in UTF-8, or cannot be rewritten.
    """
    if parcel.path.stat().st_size != parcel.size_bytes:
        raise UsageError(
            _("{path} has changed since it was prepared. Nothing was sent.", path=str(parcel.path))
        )
    start = _prologue_bytes(parcel)
    if form is DocumentForm.BASE64:
        return Payload((parcel.size_bytes + 2) // 3 * 4, partial(_in_base64, parcel))
    if form is DocumentForm.TEXT:
        return _measured(partial(_escaped, parcel, start))
    if form is DocumentForm.CDATA:
        return _measured(partial(_in_cdata, parcel, start))
    if root is None:
        return Payload(parcel.size_bytes - start, partial(_as_it_is, parcel, start))
    return _measured(partial(_rewritten, parcel, start, root))


def _measured(blocks: Callable[[Progress], Iterator[bytes]]) -> Payload:
    """The file is read twice: servers that know no chunks want the length first."""
    return Payload(sum(map(len, blocks(no_progress))), blocks)


def _read(parcel: Parcel, start: int, progress: Progress) -> Iterator[bytes]:
    with parcel.path.open("rb") as report:
        report.seek(start)
        progress(start)
        while block := report.read(_BLOCK_BYTES):
            yield block
            progress(len(block))


def _as_it_is(parcel: Parcel, start: int, progress: Progress) -> Iterator[bytes]:
    return _read(parcel, start, progress)


def _in_base64(parcel: Parcel, progress: Progress) -> Iterator[bytes]:
    return map(base64.b64encode, _read(parcel, 0, progress))


def _texts(parcel: Parcel, start: int, progress: Progress) -> Iterator[bytes]:
    """The blocks of the file, which end between characters; none that no XML text may hold."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in _read(parcel, start, progress):
            yield _checked_text(parcel, decoder.decode(block)).encode()
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _not_utf8(parcel) from None


def _checked_text(parcel: Parcel, text: str) -> str:
    if _NO_XML.search(text):
        raise UsageError(
            _("{path} holds a character that XML forbids. Nothing was sent.", path=str(parcel.path)),
            _BUILD_AGAIN,
        )
    return text


def _escaped(parcel: Parcel, start: int, progress: Progress) -> Iterator[bytes]:
    for block in _texts(parcel, start, progress):
        escaped = block.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
        yield escaped.replace(b"\r", b"&#13;")


def _in_cdata(parcel: Parcel, start: int, progress: Progress) -> Iterator[bytes]:
    """A section ends with the first ]]>, so one that stands in the report is spread over two sections."""
    yield b"<![CDATA["
    held = b""
    for block in _texts(parcel, start, progress):
        text = (held + block).replace(b"]]>", b"]]]]><![CDATA[>")
        held = text[len(text.rstrip(b"]")) :][-2:]
        yield text[: len(text) - len(held)]
    yield held + b"]]>"


def _rewritten(parcel: Parcel, start: int, root: RootTag, progress: Progress) -> Iterator[bytes]:
    return _Rewriting(parcel.path, root).run(_read(parcel, start, progress))


@dataclass(frozen=True, slots=True)
class _Scope:
    """The name of an element, and the namespace of the report's prefix (or of none) in it."""

    declared: Mapping[str, Declared]
    in_file: str
    in_message: str


class _Rewriting:
    """One walk through a file that gives its elements the names and namespaces that a WSDL wants.

    Only the tags of the root are written anew; below it an element gets a declaration where its
    namespace is another one than that round it. The file is parsed on the way, so that what comes out
    is well-formed. `_edits` are what to write at a place: instead of the tag there, or before what is there.
    """

    def __init__(self, path: object, root: RootTag) -> None:
        self._path = path
        self._root = root
        self._edits: list[tuple[int, bool, bytes]] = []
        self._scopes: list[_Scope] = []
        self._prefix = ""
        self._namespace = ""
        self._end_tag = b""
        self._parser = self._new_parser()

    def _new_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("UTF-8")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        return parser

    def run(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        pending, offset = b"", 0  # what is read and not yet parsed, and where it begins
        try:
            for block in blocks:
                self._parser.Parse(block, False)
                pending += block
                parsed = max(self._parser.CurrentByteIndex, offset)
                yield self._edited(pending[: parsed - offset], offset)
                pending, offset = pending[parsed - offset :], parsed
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise self._cannot(
                _("the file is not well-formed XML ({error:foreign})", error=str(error))
            ) from error
        yield self._edited(pending, offset)

    def _edited(self, part: bytes, offset: int) -> bytes:
        """The part with the edits that lie in it; a tag that was parsed lies in it as a whole."""
        out: list[bytes] = []
        at = 0
        for place, replaces, text in self._edits:
            start = place - offset
            tag = _TAG.match(part, start) if replaces else None
            out += [part[at:start], text]
            at = tag.end() if tag else start
        self._edits.clear()
        return b"".join((*out, part[at:]))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        at = self._parser.CurrentByteIndex
        if not self._scopes:
            self._scopes.append(self._enter_root(name, attributes, at))
            return
        round_it = self._scopes[-1]
        prefix, _sign, local = name.rpartition(":")
        in_file = attributes.get(self._declaration, round_it.in_file)
        if prefix != self._prefix or in_file != self._namespace:
            in_message = attributes.get(self._declaration, round_it.in_message)
            self._scopes.append(_Scope({}, in_file, in_message))
            return
        declared = round_it.declared.get(local)
        wanted = declared.namespace if declared else self._namespace
        self._scopes.append(_Scope(declared.children if declared else {}, in_file, wanted))
        if self._declaration in attributes and wanted != in_file:
            raise self._cannot(
                _("the report's element {name} declares the namespace of the report once more", name=name)
            )
        if wanted != round_it.in_message and self._declaration not in attributes:
            self._declare(wanted, at + 1 + len(name.encode()))

    def _declare(self, namespace: str, place: int) -> None:
        self._require_declarable(namespace)
        self._edits.append((place, False, f" {self._declaration}={quoteattr(namespace)}".encode()))

    def _require_declarable(self, namespace: str) -> None:
        if self._prefix and not namespace:
            raise self._cannot(
                _("the report's elements have a prefix, and the WSDL wants them in no namespace")
            )

    def _end(self, _name: str) -> None:
        self._scopes.pop()
        if not self._scopes:
            # Of an empty tag, <Nodurs/>, the end lies behind it, where no tag stands.
            self._edits.append((self._parser.CurrentByteIndex, True, self._end_tag))

    @property
    def _declaration(self) -> str:
        return f"xmlns:{self._prefix}" if self._prefix else "xmlns"

    def _enter_root(self, name: str, attributes: dict[str, str], at: int) -> _Scope:
        self._prefix = name.rpartition(":")[0]
        self._namespace = attributes.get(self._declaration, "")
        content = self._root.content
        wanted = next(iter(content.values())).namespace if content else self._namespace
        self._require_declarable(wanted)
        new = {key: value for key, value in attributes.items() if not _is_hint(key, attributes)}
        new[self._declaration] = wanted
        new |= self._root.attributes
        tag = self._root_tag(wanted, new)
        if not new.get(self._declaration):
            new.pop(self._declaration, None)
        self._end_tag = f"</{tag}>".encode()
        self._edits.append((at, True, f"<{tag}{_attributes(new)}>".encode()))
        return _Scope(content, self._namespace, new.get(self._declaration, ""))

    def _root_tag(self, wanted: str, new: dict[str, str]) -> str:
        """The root's name with a prefix that fits; what must be declared for it is added to `new`."""
        name, namespace = self._root.name, self._root.namespace
        if namespace == wanted and (namespace or not self._prefix):
            return f"{self._prefix}:{name}" if self._prefix else name
        if namespace:
            own = next(each for each in _PREFIXES if f"xmlns:{each}" not in new)
            new[f"xmlns:{own}"] = namespace
            return f"{own}:{name}"
        # Without a namespace it can declare none for those without a prefix below it; they do so themselves.
        new.pop("xmlns", None)
        return name

    def _cannot(self, why: Message) -> UsageError:
        return UsageError(
            _(
                "{path} cannot be rewritten as the authority's WSDL wants it: {why}. Nothing was sent.",
                path=str(self._path),
                why=why,
            ),
            _BUILD_AGAIN,
        )


def _is_hint(key: str, attributes: Mapping[str, str]) -> bool:
    """xsi:schemaLocation and the like, which speak of the root as it was."""
    prefix = key.rpartition(":")[0]
    return attributes.get(f"xmlns:{prefix}") == _SCHEMA_HINTS


_PREFIXES = ("call", *(f"call{number}" for number in range(1, 10_000)))
_TAG = re.compile(rb"""<(?:[^<>"']|"[^"]*"|'[^']*')*>""")
_BUILD_AGAIN = _("build the report again; files from elsewhere go by SFTP")


def _attributes(values: Mapping[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items())


def _prologue_bytes(parcel: Parcel) -> int:
    """Returns the length of the part that no other document may hold: BOM and XML declaration."""
    with parcel.path.open("rb") as report:
        head = report.read(_HEAD_BYTES)
    prologue = _PROLOGUE.match(head)
    end = prologue.end() if prologue else 0
    declaration = (prologue[2] if prologue else None) or b""
    if head[end : end + 1] != b"<" or (b"encoding" in declaration and not _UTF8_DECLARED.search(declaration)):
        raise _not_utf8(parcel)
    if declaration and not _VERSION_DECLARED.search(declaration):
        raise UsageError(_("{path} is not XML 1.0. Nothing was sent.", path=str(parcel.path)), _BUILD_AGAIN)
    if not _ROOT.match(head, end):
        raise UsageError(
            _(
                "{path} does not begin with its root element, but with something that SOAP "
                "forbids, such as a document type (DOCTYPE). Nothing was sent.",
                path=str(parcel.path),
            ),
            _BUILD_AGAIN,
        )
    return end


def _not_utf8(parcel: Parcel) -> UsageError:
    return UsageError(_("{path} is not XML in UTF-8. Nothing was sent.", path=str(parcel.path)), _BUILD_AGAIN)
