"""zeep's own building of a message, from dictionaries and the types of the schema."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import zeep
import zeep.xsd
from lxml import etree

from ajpes_reporting.reports.nodurs.write import NAMESPACE
from ajpes_reporting.shipped import schema
from benchmarks.ways import facts


def main(url: str, path: Path) -> None:
    """Writes the whole ledger at `url` into `path`."""
    source = etree.parse(str(schema("nodurs-20100601.xsd")), etree.XMLParser(remove_comments=True))
    types: Any = zeep.xsd.Schema(source.getroot(), zeep.Transport())  # type: ignore[no-untyped-call]
    nodurs = types.get_element(f"{{{NAMESPACE}}}Nodurs")
    head, debtors = facts.read(url)
    parent = etree.Element("parent")
    nodurs.render(parent, nodurs(Ident=head, Dolznik=debtors))
    etree.ElementTree(parent[0]).write(str(path), encoding="UTF-8", xml_declaration=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
