"""Reads a NODURS file back into rows of the ledger's input (section 2.2 of the instruction)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.domain import money
from ajpes_reporting.domain.columns import EVENT_ROW, EventRow
from ajpes_reporting.domain.fields import Type
from ajpes_reporting.xmlread import Element, attributes, forget, local_name, stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ajpes_reporting.domain.money import Amounts

_PARTS_OF_A_DEBTOR = frozenset({"Dolznik", "Tr"})


def read_rows(path: Path) -> Iterator[EventRow]:
    """Yields the events of a NODURS file in its order, each with what it repeats of its obligation.

    Amounts are whole cents, whichever way the file writes them; all else is as the file has it, "" for
    nothing. Memory does not grow with the file. Raises `UnreadableXml`, and ValueError for an amount that is
    none.
    """
    around: dict[str, str] = {}
    for event, element in stream(path, ("start", "end")):
        name = local_name(element)
        if event == "start" and name in _PARTS_OF_A_DEBTOR:
            around |= _values(name, element)
        elif event == "end" and name == "Naziv" and _lies_in(element, "Dolznik"):
            around["Dolznik/Naziv"] = element.text or ""
        elif event == "end" and name == "Blok":
            about = around | _values(name, element)
            yield from (_row(about | _event(child)) for child in element)
            forget(element)
        elif event == "end" and name in _PARTS_OF_A_DEBTOR:
            forget(element)


def _event(element: Element) -> dict[str, str]:
    """The values of an event and its creditor, by their place in the file: "No/znesek"."""
    found = _values("No", element)
    for child in element:
        if local_name(child) == "Upnik":
            found |= _values("Upnik", child)
            found["Upnik/Naziv"] = next((one.text or "" for one in child if local_name(one) == "Naziv"), "")
    return found


def _values(name: str, element: Element) -> dict[str, str]:
    return {f"{name}/{key}": text for key, text in attributes(element).items()}


def _row(found: Mapping[str, str]) -> EventRow:
    return EventRow(*(_text(field.type, found.get(field.location, "")) for field in EVENT_ROW))


def _text(kind: Type, text: str) -> str:
    if kind is not Type.CENTS or not text:
        return text
    written: Amounts = "decimal" if money.amounts_format_of(text) == "decimal" else "cents"
    return str(money.parse_amount(text, written))


def _lies_in(element: Element, name: str) -> bool:
    parent = element.getparent()
    return parent is not None and local_name(parent) == name
