"""xmlschema, which encodes dictionaries and validates them on the way."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import xmlschema

from ajpes_reporting.reports.nodurs.write import NAMESPACE
from ajpes_reporting.shipped import schema
from benchmarks.ways import facts

_CHILDREN = frozenset({"Naziv", "Tr", "Blok", "No", "Upnik"})


def main(url: str, path: Path) -> None:
    """Writes the whole ledger at `url` into `path`."""
    head, debtors = facts.read(url)
    document = {"@xmlns": NAMESPACE, "Ident": _marked(head), "Dolznik": _marked(debtors)}
    types = xmlschema.XMLSchema(str(schema("nodurs-20100601.xsd")))
    element: Any = types.encode(document, path="Nodurs", indent=0)
    ElementTree.register_namespace("", NAMESPACE)
    ElementTree.ElementTree(element).write(path, encoding="UTF-8", xml_declaration=True)


def _marked(value: Any) -> Any:
    """As xmlschema tells attributes from elements."""
    if isinstance(value, list):
        return [_marked(one) for one in value]
    if isinstance(value, dict):
        return {name if name in _CHILDREN else f"@{name}": _marked(one) for name, one in value.items()}
    return value


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
