"""Gathers what a JSON reply says: scalars are fields, objects in a list or under a row's name are rows."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import IO, TYPE_CHECKING

import ijson

from ajpes_reporting.deliver.soap.replies.gathered import Gathered, Row
from ajpes_reporting.deliver.soap.replies.unusable import UnusableReplyError, broken_off
from ajpes_reporting.deliver.soap.replies.vocabulary import ROWS, Value, plain
from ajpes_reporting.i18n import _
from ajpes_reporting.jsonread import Guarded, LongNumber

if TYPE_CHECKING:
    from ajpes_reporting.deliver.soap.replies.section import Section

_DEEPEST = 100
_BLOCK_BYTES = 64 * 1024
_LARGEST_TOKEN_BYTES = 8 << 20
_DOCUMENT = re.compile(r"""[\ufeff\s]*(<[?!\w]|\{\s*["}]|\[\s*[\[{"\]]|&lt;|&\#)""")
_ITEM = ""  # the name of what stands in a list
_LIST_ITEM = "item"  # what it is called as a row


def gather(document: Section, into: Gathered, text: IO[bytes]) -> bool:
    """Reads a document; returns whether it holds another one as a string, which is then in `text`.

    Raises `UnusableReplyError` if it is no JSON, or contradicts itself.
    """
    document.seek(0)
    source = _Bounded(document)
    reader = _Reader(into, text)
    try:
        for event, value in ijson.basic_parse(Guarded(source), buf_size=_BLOCK_BYTES):
            source.unused_bytes = 0
            reader.take(event, value)
    except ijson.IncompleteJSONError as error:
        if document.read(1) == b"" and "trailing" not in str(error) and "invalid" not in str(error):
            raise broken_off(document.size_bytes) from error
        raise UnusableReplyError(_("the reply is not well-formed JSON")) from error
    except LongNumber as error:
        raise UnusableReplyError(error.reason) from error
    except (ijson.JSONError, ValueError, ArithmeticError) as error:
        raise UnusableReplyError(_("the reply is not well-formed JSON")) from error
    return reader.has_text


class _Bounded:
    """Reads a document as long as something comes of it."""

    def __init__(self, document: Section) -> None:
        self._document = document
        self.unused_bytes = 0

    def read(self, size: int = -1) -> bytes:
        block = self._document.read(size)
        self.unused_bytes += len(block)
        if self.unused_bytes > _LARGEST_TOKEN_BYTES:
            raise UnusableReplyError(
                _(
                    "the reply holds a single value of more than {largest_token_bytes:count} bytes",
                    largest_token_bytes=_LARGEST_TOKEN_BYTES,
                )
            )
        return block


class _Reader:
    def __init__(self, into: Gathered, text: IO[bytes]) -> None:
        self.has_text = False
        self._into = into
        self._text = text
        self._names: list[str] = []
        """Of the objects and lists round here, under which name they stand."""
        self._are_lists: list[bool] = []
        self._key = _ITEM
        self._row: Row | None = None
        self._row_depth = 0

    def take(self, event: str, value: Value) -> None:
        if event == "map_key":
            self._key = plain(str(value))
        elif event in ("start_map", "start_array"):
            self._open(is_list=event == "start_array")
        elif event in ("end_map", "end_array"):
            self._close()
        else:
            self._scalar(value)

    def _open(self, *, is_list: bool) -> None:
        name = self._name_here()
        if len(self._names) >= _DEEPEST:
            raise UnusableReplyError(
                _("the reply's values are nested more than {deepest} deep", deepest=_DEEPEST)
            )
        # A list round everything says nothing about what is in it; a list in a list is a row by its places.
        is_item = self._is_in_list and len(self._names) > 1
        is_row = is_item or (name in ROWS and not is_list)
        if is_row and self._row is None:
            self._row, self._row_depth = Row(name or _LIST_ITEM, tuple(self._names)), len(self._names)
        self._names.append(name)
        self._are_lists.append(is_list)

    def _close(self) -> None:
        self._names.pop()
        self._are_lists.pop()
        if self._row is not None and self._row_depth == len(self._names):
            self._into.add(self._row)
            self._row = None

    @property
    def _is_in_list(self) -> bool:
        return self._are_lists[-1:] == [True]

    def _name_here(self) -> str:
        return _ITEM if self._is_in_list else self._key

    def _scalar(self, value: Value) -> None:
        name = self._name_here()
        if self._row is not None:
            self._row.offer(name or _meaning_by_itself(value), value)
        elif self._is_document(value):
            self._put_aside(str(value))
        elif self._is_in_list:
            self._lone_row(value)
        elif name.isdecimal() and isinstance(value, str):
            self._lone_row(value, number=name)
        else:
            self._into.offer(name, value)

    def _lone_row(self, value: Value, number: str = "") -> None:
        """A row that is one value in a list, or a text under its number."""
        if len(self._names) > 1 and value not in (None, ""):
            row = Row(_LIST_ITEM, tuple(self._names))
            row.offer("number", number)
            row.offer("text" if number else _meaning_by_itself(value), value)
            self._into.add(row)

    @staticmethod
    def _is_document(value: Value) -> bool:
        return isinstance(value, str) and _DOCUMENT.match(value) is not None

    def _put_aside(self, document: str) -> None:
        if self.has_text:
            raise UnusableReplyError(_("the reply holds more than one document as text"))
        self.has_text = True
        self._text.write(document.encode("utf-8", "replace"))


def _meaning_by_itself(value: Value) -> str:
    """Returns the meaning of a value without a name in a row of number and text."""
    return "number" if isinstance(value, int | Decimal) or str(value).isdecimal() else "text"
