"""Reading XML that anybody may have made, as a stream, without being harmed by it.

A DOCTYPE is refused outright: nothing of ours or the authority's has one, and every attack by
entities begins there. Nothing is ever fetched because a document asks for it.

Time and memory are bounded before the parser is asked, since it takes as long as a document likes:
how much may stand between two tags, how deep elements may lie in one another, how many faults are
listened to. What is within these bounds costs as much as it is long, however strange it is.
"""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from lxml import etree

from ajpes_reporting.i18n import Message, _
from ajpes_reporting.i18n.libraries import xml_reason
from ajpes_reporting.i18n.system import system_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

_LONGEST_DECLARATION = 200
_BLOCK_BYTES = 1 << 16
# A tag, a text or a comment: the longest value of any schema of ours has 500 characters.
_LONGEST_PIECE_BYTES = 1 << 17
# What may stand between two of the elements that `elements` is asked for: a tree until the next one ends.
_LONGEST_PASSED_OVER_BYTES = 1 << 22
_DEEPEST = 100
_MOST_FAULTS = 100
# Of an element that breaks its schema as much is kept of each value, and so many values.
_LONGEST_VALUE = 10_000
_MOST_VALUES = 50
# As lxml names attributes that say something about the document and not about the record: xsi:type, xml:id.
_OF_THE_DOCUMENT = ("{http://www.w3.org/2001/XMLSchema-instance}", "{http://www.w3.org/XML/1998/namespace}")
_BLANKS = b" \t\r\n"
_FIRST_LETTERS = 4  # with a mark of UTF-16 before them
_SCHEMA_CODES = range(etree.ErrorTypes.SCHEMAV_NOROOT, etree.ErrorTypes.SCHEMAV_MISC + 1)
_BROKEN_NAMES = (
    etree.ErrorTypes.NS_ERR_XML_NAMESPACE,
    etree.ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE,
    etree.ErrorTypes.NS_ERR_QNAME,
    etree.ErrorTypes.NS_ERR_EMPTY,
    etree.ErrorTypes.NS_ERR_COLON,
)
_DECLARED = re.compile(rb"""<\?xml[^>]*\sencoding\s*=\s*["']([A-Za-z0-9._-]+)""")
_PLACE = re.compile(r"\s*, line \d+, column \d+\Z")
_AS_BYTES = re.compile(r"line \d+: b(['\"])(.*)\1")

Element = etree._Element
"""An element as lxml gives it; the library names the class only privately."""


class UnreadableXml(Exception):
    """The file is not XML that we take. `line` is 0 where the parser does not know it."""

    def __init__(self, message: Message, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class SchemaBroken(Exception):
    """The file is XML but does not follow its schema; `message` is the validator's own, terse.

    `sound` children of the root, at least, come before the one that is broken.
    """

    def __init__(self, message: str, sound: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.sound = sound


@dataclass(frozen=True, slots=True)
class Root:
    """The beginning of a document."""

    local_name: str
    namespace: str | None
    encoding: str
    attributes: Mapping[str, str]


class Record(NamedTuple):
    """An element as far as it counts where there are a great many: its attributes, all text within it.

    A tuple, since there may be a million of them.
    """

    name: str
    attributes: Mapping[str, str]
    text: str


class LooseRecord(NamedTuple):
    """An element that need not follow any schema: its name and its values, both named in lower case.

    A value may have been an attribute or an element within it, and there may be several of one name. Those
    named "" are text that stood elsewhere in it.
    """

    name: str
    values: list[tuple[str, str]]


@lru_cache(maxsize=16)
def load_schema(path: Path) -> etree.XMLSchema:
    """A compiled XSD of ours."""
    return etree.XMLSchema(file=str(path))


def read_root(path: Path) -> Root:
    """The root element, whatever comes after it. Raises `UnreadableXml`, also for a DOCTYPE."""
    try:
        with path.open("rb") as file:
            file.seek(_blanks_before_the_declaration(file))
            element = _first_element(file)
    except (etree.LxmlError, OSError, UnicodeError) as error:
        raise _unreadable(error) from None
    _refuse_doctype(element)
    namespace = str(element.tag).removeprefix("{").rpartition("}")[0]  # QName minds a } within it
    return Root(local_name(element), namespace or None, _encoding(path), attributes(element))


def trimmed(path: Path, copy: Path) -> Path:
    """The file without blanks before its XML declaration and without NULs after its end.

    It is written to `copy` without them; where there are none, the file itself is returned.
    """
    with path.open("rb") as file:
        start, end = _blanks_before_the_declaration(file), _end_before_nuls(file)
        if start == 0 and end == file.seek(0, os.SEEK_END):
            return path
        file.seek(start)
        with copy.open("wb") as out:
            while block := file.read(min(_BLOCK_BYTES, end - file.tell())):
                out.write(block)
    return copy


def stream(
    path: Path, events: tuple[str, ...], schema: etree.XMLSchema | None = None, *, plain: bool = False
) -> Iterator[tuple[str, Element]]:
    """Parse events of `path`; whoever reads them clears what he is done with (`forget`).

    With a schema, a violation ends the stream with `SchemaBroken`, before the element that breaks
    it is complete; elements before it have been given out. `plain`: every namespace is dropped on the
    way, and every attribute that has one. Raises `UnreadableXml` for anything else.
    """
    try:
        if schema is not None or plain:
            read_root(path)  # refuses a DOCTYPE, with a parser that expands nothing
        with path.open("rb") as file:
            yield from _guarded(_Plain(file) if plain else file, events, schema)
    except (etree.LxmlError, OSError, UnicodeError) as error:
        raise _unreadable(error) from None


def elements(path: Path, names: Iterable[str]) -> Iterator[Element]:
    """The elements with these local names, in any namespace and depth, in the order of their ends.

    For messages with a great many parts round the few that count: whoever reads them clears each (`forget`),
    and what is passed over costs the parser's time alone. The names must come often, since what lies between
    two of them is in memory. In flat memory, without a schema. Raises `UnreadableXml` when it gets there.
    """
    try:
        read_root(path)  # refuses a DOCTYPE, with a parser that expands nothing
        with path.open("rb") as file:
            file.seek(_blanks_before_the_declaration(file))
            pieces = _Pieces(file, _LONGEST_PASSED_OVER_BYTES)
            source: Any = pieces  # the declared type wants a whole file
            parser = etree.iterparse(
                source,
                events=("end",),
                tag=[f"{{*}}{name}" for name in names],
                load_dtd=False,
                no_network=True,
                resolve_entities=False,
                remove_comments=True,
                remove_pis=True,
            )
            for _event, element in parser:
                pieces.used()
                if parser.error_log:
                    _refuse_faults(parser.error_log)
                yield element
    except (etree.LxmlError, OSError, UnicodeError) as error:
        raise _unreadable(error) from None


def schema_verdict(blocks: Iterable[bytes], schema: etree.XMLSchema) -> str | None:
    """Returns the validator's objection to a document that passes by in blocks; None if it is right.

    Quick, and only for what this program writes itself: nothing is refused but what breaks the schema,
    and nobody is told where.
    """
    nobody: Any = _Nobody()  # the declared type wants all the methods that it leaves out
    parser = etree.XMLParser(schema=schema, target=nobody, no_network=True, load_dtd=False)
    try:
        for block in blocks:
            parser.feed(block)
            # With a target, lxml raises nothing for a broken schema; a million errors would fill the memory.
            if parser.feed_error_log:
                return str(parser.feed_error_log[0].message)
        parser.close()
    except etree.XMLSyntaxError as error:
        return _reason(error)
    return parser.feed_error_log[0].message if parser.feed_error_log else None


class _Nobody:
    """Takes no events: the document is only validated."""

    def close(self) -> None:
        """The parser asks for it."""


def record(element: Element) -> Record:
    """An element of a stream as `records` gives it."""
    return Record(local_name(element), attributes(element), "".join(map(str, element.itertext())))


def records(
    path: Path, names: frozenset[str], schema: etree.XMLSchema, *, plain: bool = False
) -> Iterator[Record]:
    """The elements with these names, without a namespace, in one pass that also validates the file.

    For files of a great many small records, each a child of the root: they never become a tree, which
    takes half the time. `plain` as for `stream`. Raises `SchemaBroken` or `UnreadableXml` when it gets
    there; what was given out before counts for nothing then.
    """
    try:
        read_root(path)  # refuses a DOCTYPE, with a parser that expands nothing
        with path.open("rb") as file:
            yield from _pumped(_Plain(file) if plain else file, _Records(names), schema)
    except (etree.LxmlError, OSError, UnicodeError) as error:
        raise _unreadable(error) from None


def loose_records(path: Path, wanted: Mapping[str, frozenset[str]]) -> Iterator[LooseRecord]:
    """The elements with these names, each with the values named for it, however the file is written.

    `wanted` has all names in lower case; in the file they may stand in any letter case, namespace, order and
    depth, and whatever else is there is passed over. In one pass and flat memory, without a schema. Raises
    `UnreadableXml` when it gets there.
    """
    try:
        read_root(path)  # refuses a DOCTYPE, with a parser that expands nothing
        with path.open("rb") as file:
            yield from _pumped(file, _LooseRecords(wanted))
    except (etree.LxmlError, OSError, UnicodeError) as error:
        raise _unreadable(error) from None


def forget(element: Element) -> None:
    """Frees an element that has been dealt with, and everything before it under its parent."""
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]


def attributes(element: Element) -> dict[str, str]:
    """An element's attributes."""
    return {str(name): str(value) for name, value in element.attrib.items()}


def local_name(element: Element) -> str:
    """An element's name without its namespace; empty for a comment or an instruction."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _blanks_before_the_declaration(file: BinaryIO) -> int:
    """Counts blanks before the declaration; without one they do no harm. Rewinds the file."""
    beginning = file.read(_BLOCK_BYTES)
    file.seek(0)
    rest = beginning.lstrip(_BLANKS)
    return len(beginning) - len(rest) if rest.startswith(b"<?xml") else 0


def _end_before_nuls(file: BinaryIO) -> int:
    """Returns the end of the document if NULs follow it; in UTF-16 each letter of markup has one."""
    file.seek(0)
    is_wide = b"\0" in file.read(_FIRST_LETTERS)
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _BLOCK_BYTES))
    last = file.read()
    padding = last[len(last.rstrip(_BLANKS + b"\0")) :]
    return size if is_wide or b"\0" not in padding else size - len(padding)


def declared_encoding(beginning: bytes) -> str:
    """The encoding of a document, as its first bytes say."""
    if beginning[:2] in (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE):
        return "UTF-16"
    declared = _DECLARED.search(beginning[:_LONGEST_DECLARATION])
    return declared[1].decode() if declared else "UTF-8"


def _encoding(path: Path) -> str:
    """As the bytes say; the parser forgets it once it has converted them."""
    with path.open("rb") as source:
        return declared_encoding(source.read(_LONGEST_DECLARATION))


class _Pieces:
    """Reads a file for the parser, as long as the parser makes something of it."""

    def __init__(self, source: BinaryIO | _Plain, longest: int = _LONGEST_PIECE_BYTES) -> None:
        self._source = source
        self._longest = longest
        self._unused_bytes = 0

    def read(self, size: int = _BLOCK_BYTES) -> bytes:
        """Raises `UnreadableXml` if nothing has come of the blocks before."""
        if self._unused_bytes > self._longest:
            raise UnreadableXml(
                _(
                    "the document has more than {count:count} bytes without a tag, or within one, "
                    "which these files never have",
                    count=self._longest,
                )
            )
        block = self._source.read(size)
        self._unused_bytes += len(block)
        return block

    def used(self) -> None:
        """An element has begun or ended."""
        self._unused_bytes = 0


class _Plain:
    """Reads a file for the parser with every namespace dropped, and every attribute that has one.

    Answers are read by local name: they come without a namespace, or with one nobody announced.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._pieces = _Pieces(file)
        self._writer = _PlainWriter(self._pieces)
        target: Any = self._writer  # the declared type wants all the methods that it leaves out
        self._parser: Any = etree.XMLParser(target=target, no_network=True, load_dtd=False)

    def read(self, _size: int = _BLOCK_BYTES) -> bytes:
        """Some more of it; nothing at its end. Raises `UnreadableXml`, or what the parser raises."""
        written = self._writer.written
        while not written and self._parser is not None:
            if block := self._pieces.read():
                self._parser.feed(block)
                _refuse_faults(self._parser.feed_error_log)
            else:
                self._parser.close()  # minds when the file is cut off
                self._parser = None
        text = "".join(written)
        written.clear()
        return text.encode()


class _PlainWriter:
    """Takes the parser's events; `written` is the markup that says the same without a namespace."""

    def __init__(self, pieces: _Pieces) -> None:
        self.written: list[str] = []
        self._pieces = pieces

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._pieces.used()
        own = "".join(
            f' {key}="{value.translate(_IN_VALUE)}"' for key, value in attributes.items() if key[0] != "{"
        )
        self.written.append(f"<{name.rpartition('}')[2]}{own}>")

    def data(self, text: str) -> None:
        self.written.append(text.translate(_IN_TEXT))

    def end(self, name: str) -> None:
        self._pieces.used()
        self.written.append(f"</{name.rpartition('}')[2]}>")

    def close(self) -> None:
        """The parser asks for it."""


# Or it would be taken for the end of a line as some write it, and come back as a blank.
# Not by xml.sax.saxutils, which loads all that urllib.request does.
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_VALUE = {**_IN_TEXT, **str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})}


def _first_element(file: BinaryIO) -> Element:
    """Returns the first element with its attributes; its content may still be broken."""
    pieces = _Pieces(file)
    parser = etree.XMLPullParser(
        events=("start",),
        load_dtd=False,
        no_network=True,
        resolve_entities=False,
        remove_comments=True,
        remove_pis=True,
    )
    broken: etree.XMLSyntaxError | None = None
    while broken is None and (block := pieces.read()):
        try:
            parser.feed(block)
        except etree.XMLSyntaxError as error:
            broken = error
        for _event, element in parser.read_events():
            return element
    if broken is not None:
        raise broken
    parser.close()  # says what is missing
    raise UnreadableXml(_("the document has no root element"))


def _guarded(
    source: BinaryIO | _Plain, events: tuple[str, ...], schema: etree.XMLSchema | None
) -> Iterator[tuple[str, Element]]:
    pieces: Any = _Pieces(source)  # the declared type wants a whole file
    parser = etree.iterparse(
        pieces,
        events=("start", "end"),
        schema=schema,
        load_dtd=False,
        no_network=True,
        # With False and a schema, lxml takes half a file for a whole one; where there is a
        # schema, a DOCTYPE has been refused before, and there are no entities to resolve.
        resolve_entities=schema is not None,
        remove_comments=True,
        remove_pis=True,
    )
    depth = children = 0
    for event, element in parser:
        pieces.used()
        if depth == 0:
            _refuse_doctype(element)
        if parser.error_log:
            _refuse_faults(parser.error_log, children)
        depth += 1 if event == "start" else -1
        if depth > _DEEPEST:
            raise UnreadableXml(
                _("the document's elements lie more than {depth} deep in one another", depth=_DEEPEST)
            )
        if event in events:
            yield event, element
        if depth == 1 and event == "end":
            children += 1


def _pumped(
    source: BinaryIO | _Plain, target: _Records | _LooseRecords, schema: etree.XMLSchema | None = None
) -> Iterator[Any]:
    """Yields the items of the target, block by block."""
    pieces = _Pieces(source)
    target.used = pieces.used
    as_declared: Any = target  # the declared type wants all the methods that it leaves out
    parser = etree.XMLParser(schema=schema, target=as_declared, no_network=True, load_dtd=False)
    sound = 0
    while block := pieces.read():
        parser.feed(block)
        _refuse_faults(parser.feed_error_log, sound)
        yield from target.whole
        sound += len(target.whole)
        target.whole.clear()
    parser.close()  # minds when the file is cut off
    _refuse_faults(parser.feed_error_log, sound)
    yield from target.whole


class _Records:
    """Takes the parser's events; `whole` are the records that have ended."""

    used: Callable[[], None]

    def __init__(self, names: frozenset[str]) -> None:
        self.whole: list[Record] = []
        self._names = names
        self._attributes: Mapping[str, str] = {}
        self._text: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.used()
        if name in self._names:
            self._attributes = attributes
            self._text.clear()

    def data(self, text: str) -> None:
        self._text.append(text)

    def end(self, name: str) -> None:
        if name in self._names:
            self.whole.append(Record(name, self._attributes, "".join(self._text)))
            self._text.clear()

    def close(self) -> None:
        """The parser asks for it."""


class _LooseRecords:
    """Takes the parser's events; `whole` are the records that have ended, one within another as well."""

    used: Callable[[], None]

    def __init__(self, wanted: Mapping[str, frozenset[str]]) -> None:
        self.whole: list[LooseRecord] = []
        self._wanted = wanted
        self._path: list[str] = []
        self._open: list[LooseRecord] = []
        self._value = _Value("", 0)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.used()
        local = _lower(name)
        self._path.append(local)
        if len(self._path) > _DEEPEST:
            raise UnreadableXml(
                _("the document's elements lie more than {depth} deep in one another", depth=_DEEPEST)
            )
        if local in self._wanted:
            self._end_value()
            self._open.append(LooseRecord(local, []))
            for key, value in attributes.items():
                if not key.startswith(_OF_THE_DOCUMENT):
                    self._keep(_lower(key), value)
        elif self._open and local in self._wanted[self._open[-1].name] and not self._value.name:
            self._end_value()
            self._value = _Value(local, len(self._path))

    def data(self, text: str) -> None:
        if self._open:
            self._value.add(text)

    def end(self, name: str) -> None:
        self.used()
        self._path.pop()
        if self._value.name and len(self._path) < self._value.depth:
            self._end_value()
        if self._open and _lower(name) == self._open[-1].name:
            self._end_value()
            self.whole.append(self._open.pop())

    def close(self) -> None:
        """The parser asks for it."""

    def _end_value(self) -> None:
        if self._open:
            self._keep(self._value.name, self._value.text)
        self._value = _Value("", 0)

    def _keep(self, name: str, value: str) -> None:
        record = self._open[-1]
        is_wanted = name in self._wanted[record.name] if name else value.strip()
        if is_wanted and len(record.values) < _MOST_VALUES:
            record.values.append((name, value[:_LONGEST_VALUE]))


class _Value:
    """The text of an element within a record, as far as it has been read, or, without a name, any other."""

    def __init__(self, name: str, depth: int) -> None:
        self.name = name
        self.depth = depth
        self._parts: list[str] = []
        self._length = 0

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def add(self, text: str) -> None:
        if self._length < _LONGEST_VALUE:
            self._parts.append(text)
            self._length += len(text)


def _lower(name: str) -> str:
    return name.rpartition("}")[2].lower()


def _unreadable(error: etree.LxmlError | OSError | UnicodeError) -> UnreadableXml:
    if isinstance(error, etree.XMLSyntaxError):
        return UnreadableXml(_reason(error), error.lineno or 0)
    if isinstance(error, OSError):
        return UnreadableXml(system_reason(error))
    return UnreadableXml(_("the document's bytes are not what its encoding says"))


def _reason(error: etree.XMLSyntaxError) -> Message:
    """The parser's words, without the place, which is told apart, and without Python's spelling."""
    told = error.msg
    if error.code in _SCHEMA_CODES:  # a fault against the schema came before, and says less
        parsing = error.error_log.filter_domains(etree.ErrorDomains.PARSER)
        told = parsing[-1].message.strip() if parsing else told
    if not told:
        return _("there is nothing in it")
    message = _PLACE.sub("", told)
    as_bytes = _AS_BYTES.fullmatch(message)
    return xml_reason(as_bytes[2] if as_bytes else message)


def _refuse_doctype(root: Element) -> None:
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnreadableXml(_("the document has a DOCTYPE, which these files never have"))


def _refuse_faults(log: etree._ListErrorLog, sound: int = 0) -> None:
    """Raises `UnreadableXml` for a fault in the log that lxml itself tells too late, or never.

    lxml tells of a broken schema only at the end, when the broken element has long been given out, and never
    of a prefix that nobody declared.
    """
    if not log:
        return
    # Not among them a namespace that is no address: it is only a name.
    if undeclared := log.filter_types(_BROKEN_NAMES):
        raise UnreadableXml(xml_reason(undeclared[0].message.strip()), undeclared[0].line)
    if broken := log.filter_domains(etree.ErrorDomains.SCHEMASV):
        raise SchemaBroken(broken[0].message, sound)
    if len(log) > _MOST_FAULTS:
        raise UnreadableXml(
            _(
                "the document has more than {count} things that a parser warns of: {first}",
                count=_MOST_FAULTS,
                first=xml_reason(log[0].message),
            )
        )
