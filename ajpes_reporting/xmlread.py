"""Reading XML that anybody may have made, as a stream, without being harmed by it.

A DOCTYPE is refused outright: nothing of ours or the authority's has one, and every attack by
entities begins there. Nothing is ever fetched because a document asks for it.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_LONGEST_DECLARATION = 200
_BLOCK_BYTES = 1 << 16
_DECLARED = re.compile(rb"""<\?xml[^>]*\sencoding\s*=\s*["']([A-Za-z0-9._-]+)""")
_PLACE = re.compile(r"\s*, line \d+, column \d+\Z")
_AS_BYTES = re.compile(r"line \d+: b(['\"])(.*)\1")

Element = etree._Element
"""An element as lxml gives it; the library names the class only privately."""


class UnreadableXml(Exception):
    """The file is not XML that we take. `line` is 0 where the parser does not know it."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class SchemaBroken(Exception):
    """The file is XML but does not follow its schema; `message` is the validator's own, terse."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Root:
    """How a document begins."""

    local_name: str
    namespace: str | None
    encoding: str


class Record(NamedTuple):
    """An element as far as it counts where there are a great many: its attributes, all text within it.

    A tuple, since there may be a million of them.
    """

    name: str
    attributes: Mapping[str, str]
    text: str


@lru_cache(maxsize=16)
def load_schema(path: Path) -> etree.XMLSchema:
    """A compiled XSD of ours."""
    return etree.XMLSchema(file=str(path))


def read_root(path: Path) -> Root:
    """The root element. Raises `UnreadableXml`."""
    for _event, element in stream(path, ("start",)):
        namespace = str(element.tag).removeprefix("{").rpartition("}")[0]  # QName minds a } within it
        return Root(local_name(element), namespace or None, _encoding(path))
    raise UnreadableXml("it has no root element")


def stream(
    path: Path, events: tuple[str, ...], schema: etree.XMLSchema | None = None
) -> Iterator[tuple[str, Element]]:
    """Parse events of `path`; whoever reads them clears what he is done with (`forget`).

    With a schema, a violation ends the stream with `SchemaBroken`, before the element that breaks
    it is complete; elements before it have been given out. Raises `UnreadableXml` for anything else.
    """
    try:
        if schema is not None:
            read_root(path)  # refuses a DOCTYPE, with a parser that expands nothing
        yield from _guarded(path, events, schema)
    except etree.XMLSyntaxError as error:
        raise UnreadableXml(_reason(error), error.lineno or 0) from None
    except OSError as error:
        raise UnreadableXml(error.strerror or str(error)) from None


def schema_verdict(blocks: Iterable[bytes], schema: etree.XMLSchema) -> str | None:
    """What the validator says against a document that passes by in blocks; None if it is right.

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


def records(path: Path, names: frozenset[str], schema: etree.XMLSchema) -> Iterator[Record]:
    """The elements with these names, without a namespace, in one pass that also validates the file.

    For files of a great many small records, none within another: they never become a tree, which takes
    half the time. Raises `SchemaBroken` or `UnreadableXml` when it gets there; what was given out before
    counts for nothing then.
    """
    try:
        read_root(path)  # refuses a DOCTYPE, with a parser that expands nothing
        yield from _validated(path, names, schema)
    except etree.XMLSyntaxError as error:
        raise UnreadableXml(_reason(error), error.lineno or 0) from None
    except OSError as error:
        raise UnreadableXml(error.strerror or str(error)) from None


def forget(element: Element) -> None:
    """Frees an element that has been dealt with, and everything before it under its parent."""
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]


def without_namespace(path: Path, target: Path) -> None:
    """Copies a document with every namespace dropped; memory does not grow with it.

    Answers are read by local name: they come without a namespace, or with one nobody announced.
    Raises `UnreadableXml`.
    """
    with etree.xmlfile(str(target), encoding="UTF-8") as out:
        out.write_declaration()
        events = stream(path, ("start", "end"))
        _event, root = next(events)
        with out.element(local_name(root), _plain_attributes(root)):
            for event, element in events:
                if event == "end" and element.getparent() is root:
                    out.write(_stripped(element))
                    forget(element)


def _stripped(element: Element) -> Element:
    plain = etree.Element(local_name(element), _plain_attributes(element))
    plain.text, plain.tail = element.text, element.tail
    plain.extend(_stripped(child) for child in element)
    return plain


def _plain_attributes(element: Element) -> dict[str, str]:
    return {name: value for name, value in attributes(element).items() if not name.startswith("{")}


def attributes(element: Element) -> dict[str, str]:
    """An element's attributes."""
    return {str(name): str(value) for name, value in element.attrib.items()}


def local_name(element: Element) -> str:
    """An element's name without its namespace; empty for a comment or an instruction."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _encoding(path: Path) -> str:
    """As the bytes say; the parser forgets it once it has converted them."""
    with path.open("rb") as source:
        beginning = source.read(_LONGEST_DECLARATION)
    if beginning[:2] in (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE):
        return "UTF-16"
    declared = _DECLARED.search(beginning)
    return declared[1].decode() if declared else "UTF-8"


def _guarded(
    path: Path, events: tuple[str, ...], schema: etree.XMLSchema | None
) -> Iterator[tuple[str, Element]]:
    with path.open("rb") as source:
        parser = etree.iterparse(
            source,
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
        first = True
        for event, element in parser:
            if first:
                _refuse_doctype(element)
                first = False
            if parser.error_log:
                _refuse_schema_errors(parser.error_log)
            if event in events:
                yield event, element


def _validated(path: Path, names: frozenset[str], schema: etree.XMLSchema) -> Iterator[Record]:
    gathered = _Records(names)
    target: Any = gathered  # the declared type wants all the methods that it leaves out
    parser = etree.XMLParser(schema=schema, target=target, no_network=True, load_dtd=False)
    with path.open("rb") as source:
        while block := source.read(_BLOCK_BYTES):
            parser.feed(block)
            _refuse_schema_errors(parser.feed_error_log)
            yield from gathered.whole
            gathered.whole.clear()
        parser.close()  # minds when the file is cut off


class _Records:
    """Takes the parser's events; `whole` are the records that have ended."""

    def __init__(self, names: frozenset[str]) -> None:
        self.whole: list[Record] = []
        self._names = names
        self._attributes: Mapping[str, str] = {}
        self._text: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
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


def _reason(error: etree.XMLSyntaxError) -> str:
    """The parser's words, without the place, which is told apart, and without Python's spelling."""
    message = _PLACE.sub("", error.msg or "it is empty")
    as_bytes = _AS_BYTES.fullmatch(message)
    return as_bytes[2] if as_bytes else message


def _refuse_doctype(root: Element) -> None:
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnreadableXml("it has a DOCTYPE, which these files never have")


def _refuse_schema_errors(log: etree._ListErrorLog) -> None:
    """lxml itself tells of them only at the end, when the broken element has long been given out."""
    schema_errors = log.filter_domains(etree.ErrorDomains.SCHEMASV)
    if schema_errors:
        raise SchemaBroken(schema_errors[0].message)
