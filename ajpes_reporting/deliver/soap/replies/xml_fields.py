"""Gathers what an XML reply says, where it is not simply a BlokOdgovor as the instruction has it.

Attributes and elements with nothing but text in them are fields; what is called a row is one, whatever list
it stands in. So a typed result, a list round the rows, or elements in the place of attributes make no
difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

from ajpes_reporting.deliver.soap.replies.gathered import LONGEST_TEXT, Gathered, Row
from ajpes_reporting.deliver.soap.replies.section import BLOCK_BYTES, Section
from ajpes_reporting.deliver.soap.replies.unusable import UnusableReplyError
from ajpes_reporting.deliver.soap.replies.vocabulary import ROWS, plain
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from collections.abc import Mapping

DEEPEST = 100
REFERRED_TO = "multiref"
"""What Axis calls elements that others point to."""
# Of XML Schema and SOAP: they say how a value is written, not what it is.
_OF_THE_NOTATION = frozenset(
    {"type", "nil", "schemalocation", "nonamespaceschemalocation", "arraytype", "encodingstyle", "root"}
)


def gather(document: Section, into: Gathered) -> None:
    """Reads a document that has been parsed before, without its SOAP header. Raises `UnusableReplyError`."""
    reader = _Reader(into)
    document.seek(0)
    while block := document.read(BLOCK_BYTES):
        reader.parser.Parse(block, False)
    reader.parser.Parse(b"", True)


class _Reader:
    def __init__(self, into: Gathered) -> None:
        self.parser = expat.ParserCreate("UTF-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self._into = into
        self._path: list[str] = []
        self._row: Row | None = None
        self._row_depth = 0
        self._text: list[str] = []
        self._text_length = 0
        self._has_children = False
        self._is_outside = False

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = _called(plain(tag), attributes)
        self._path.append(name)
        self._text, self._text_length, self._has_children = [], 0, False
        if len(self._path) > DEEPEST:
            raise UnusableReplyError(
                _("the reply's elements are nested more than {deepest} deep", deepest=DEEPEST)
            )
        if len(self._path) <= 2:  # a SOAP header is no part of what is said
            self._is_outside = self._path[0] == "envelope" and self._path[1:] != ["body"]
        if self._is_outside:
            return
        # A row that only points to where it stands is read there.
        if self._row is None and name in ROWS and "href" not in attributes:
            self._row, self._row_depth = Row(name, tuple(self._path[:-1])), len(self._path)
        if plain(tag) != REFERRED_TO:  # its `id` is only what is pointed to
            for key, value in attributes.items():
                self._attribute(key, value)

    def _attribute(self, name: str, value: str) -> None:
        key = plain(name)
        is_of_the_notation = ":" in name and (name.startswith("xmlns") or key in _OF_THE_NOTATION)
        if name != "xmlns" and not is_of_the_notation:
            self._offer(key, value)

    def _characters(self, data: str) -> None:
        if self._text_length < LONGEST_TEXT:
            self._text.append(data)
            self._text_length += len(data)

    def _end(self, _name: str) -> None:
        name = self._path[-1]
        text = "".join(self._text).strip()
        is_row = self._row is not None and self._row_depth == len(self._path)
        if text and not self._has_children and not self._is_outside:
            self._offer("text" if is_row else name, text)
        if is_row and self._row is not None:
            self._into.add(self._row)
            self._row = None
        self._path.pop()
        self._text, self._text_length, self._has_children = [], 0, True

    def _offer(self, name: str, value: str) -> None:
        (self._into if self._row is None else self._row).offer(name, value)


def _called(name: str, attributes: Mapping[str, str]) -> str:
    """An element's name; Axis calls what it points to `multiRef`, and says by its type what it is."""
    if name != REFERRED_TO:
        return name
    return next((plain(value) for key, value in attributes.items() if key.endswith(":type")), name)
