"""Answers that are looser than their schema, as an authority's own program may write them."""

from __future__ import annotations

from lxml import etree

_LONG = " Dodatno pojasnilo." * 40
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def loosened(answer: bytes) -> bytes:
    """The answer with an attribute and an element that nobody knows, and what is there written otherwise.

    `vrsta` in lower case, `racun` as an IBAN, texts longer than 500, an xsi:type; the verdict is the same.
    """
    root = etree.fromstring(answer)
    for ident in root.iterchildren("Ident"):
        ident.set(f"{{{_XSI}}}type", "IdentType")
        ident.set("verzija", "2")
    for row in root.iterchildren("Napaka"):
        row.set("vrsta", str(row.get("vrsta")).lower())
        if row.get("racun"):
            row.set("racun", _iban(str(row.get("racun"))))
        for text in row.iterchildren("Opis"):
            text.text = f"{text.text}{_LONG}"
    etree.SubElement(root, "Povzetek").text = "Obdelava je končana."
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _iban(account: str) -> str:
    """SI, two control digits (ISO 13616), and the account; S is 28, I is 18."""
    return f"SI{98 - int(f'{account}281800') % 97:02}{account}"
