"""A look into a workbook of Excel before it is read: how large it is, and which of its cells have no value.

The reader makes a table of everything between the first and the last cell, so one cell far away would fill
memory; and what is an error, or a formula that was never computed, it gives as empty.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from typing import TYPE_CHECKING

from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import IO

MOST_CELLS = 4_000_000
_MOST_BYTES = 1 << 29  # unpacked; a sheet of so many cells has less
_BLOCK_BYTES = 1 << 20
_LONGEST_CELL = 1 << 18
_MOST_TOLD = 1000

_CELL = rb"""<(?:\w+:)?c\s(?=[^<>]*?\br=["'](?P<NAME>[A-Z]{1,3}[0-9]{1,7})["'])"""
_FILLED = re.compile(rb"""<(?:\w+:)?c\s[^<>]*?\br=["']([A-Z]{1,3})([0-9]{1,7})["'][^<>/]*>""")
_FORMULA = rb"<(?:\w+:)?f(?:[^<>]*/>|[^<>]*>[^<]{0,8192}</(?:\w+:)?f>)"
_WITHOUT_VALUE = re.compile(
    _CELL.replace(b"NAME", b"wrong")
    + rb"""(?=[^<>]*\bt=["']e["'])[^<>/]*>(?:"""
    + _FORMULA
    + rb""")?\s*<(?:\w+:)?v>(?P<error>[^<]{1,20})<|"""
    + _CELL.replace(b"NAME", b"empty")
    + rb"""(?![^<>]*\bt=["']str["'])[^<>/]*>"""
    + _FORMULA
    + rb"\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_MAY_HAVE_NO_VALUE = re.compile(rb"""<(?:\w+:)?f[\s/>]|\bt=["']e["']""")
_SHEET = re.compile(rb"<(?:\w+:)?sheet\s[^<>]*?\w+:id=[\"']([^\"']+)")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\s[^<>]*>")


class UnreadableWorkbookError(ValueError):
    """The workbook is too large, or no workbook; the message says which, as a clause."""

    def __init__(self, reason: Message) -> None:
        super().__init__(reason)
        self.reason = reason


def cells_without_value(path: Path) -> Sequence[Mapping[str, str]]:
    """Returns, for each sheet in order, its cells without a value: "D7" to "#N/A", or "" if not computed.

    Everything is unpacked once, in blocks, so that sizes are those of the bytes and not what the file claims.
    Raises UnreadableWorkbookError, OSError, and BadZipFile.
    """
    with zipfile.ZipFile(path) as packed:
        found: dict[str, dict[str, str]] = {}
        left = _MOST_BYTES
        sheets = _sheets(packed)
        for part in packed.infolist():
            is_sheet = part.filename in sheets or part.filename.startswith("xl/worksheets/")
            try:
                with packed.open(part) as stream:
                    if is_sheet:
                        found[part.filename], read = _scanned(stream, left)
                    else:
                        read = sum(map(len, _blocks(stream, left)))
            except (RuntimeError, NotImplementedError):  # a password, or a packing that nobody uses
                raise UnreadableWorkbookError(
                    _("the workbook is packed in an unknown way, or has a password")
                ) from None
            left -= read
        return [found.get(name, {}) for name in sheets]


def _blocks(stream: IO[bytes], left: int) -> Iterator[bytes]:
    while block := stream.read(_BLOCK_BYTES):
        if (left := left - len(block)) < 0:
            raise UnreadableWorkbookError(
                _("the workbook unpacks to more than {count:count} bytes", count=_MOST_BYTES)
            )
        yield block


def _scanned(stream: IO[bytes], left: int) -> tuple[dict[str, str], int]:
    """Returns the cells of a sheet without a value, and its size in bytes."""
    found: dict[str, str] = {}
    columns: set[bytes] = set()
    rows: list[int] = []
    kept, read = b"", 0
    for block in _blocks(stream, left):
        read += len(block)
        text = kept + block
        end = text.rfind(b"</row>") + 1 or max(0, len(text) - _LONGEST_CELL)
        text, kept = text[:end], text[end:][-_LONGEST_CELL * 8 :]
        _look_at(text, found, columns, rows)
    _look_at(kept, found, columns, rows)
    if rows:
        widths = [_number_of(column) for column in columns]
        area = (max(rows) - min(rows) + 1) * (max(widths) - min(widths) + 1)
        if area > MOST_CELLS:
            raise UnreadableWorkbookError(
                _(
                    "a sheet of the workbook reaches over {count:count} cells, at most {most:count} are read",
                    count=area,
                    most=MOST_CELLS,
                )
            )
    return found, read


def _look_at(text: bytes, found: dict[str, str], columns: set[bytes], rows: list[int]) -> None:
    filled = _FILLED.findall(text)
    columns.update(column for column, _row in filled)
    if numbers := {int(row) for row in {row for _column, row in filled}}:
        rows[:] = [min(*rows, *numbers), max(*rows, *numbers)] if rows else [min(numbers), max(numbers)]
    if not _MAY_HAVE_NO_VALUE.search(text):
        return
    for cell in _WITHOUT_VALUE.finditer(text):
        if len(found) < _MOST_TOLD:
            name = (cell["wrong"] or cell["empty"]).decode()
            found[name] = cell["error"].decode("utf-8", "replace") if cell["wrong"] else ""


def _number_of(column: bytes) -> int:
    number = 0
    for letter in column:
        number = number * 26 + letter - ord("A") + 1
    return number


def _sheets(packed: zipfile.ZipFile) -> list[str]:
    """Returns the parts of the sheets, in the order of the workbook; "" for what is none."""
    try:
        book = packed.open("xl/workbook.xml").read(_BLOCK_BYTES)
        relations = packed.open("xl/_rels/workbook.xml.rels").read(_BLOCK_BYTES)
    except KeyError:
        raise UnreadableWorkbookError(_("there is no workbook in the file")) from None
    targets: dict[bytes, str] = {}
    for relation in _RELATION.findall(relations):
        said = dict(re.findall(rb"\b(Id|Target)=[\"']([^\"']*)", relation))
        target = said.get(b"Target", b"").decode("utf-8", "replace")
        targets[said.get(b"Id", b"")] = posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")
    return [targets.get(name, "") for name in _SHEET.findall(book)]
