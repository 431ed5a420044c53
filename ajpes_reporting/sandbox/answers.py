"""The answers BlokOdgovor (section 4.1.1) and PsOdgovor (section 4.2): no namespace, attributes, Opis."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from lxml import etree

from .validation import ERROR, WARNING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from .validation import Finding, ValidationResult

_LONGEST_TEXT = 500
# What cannot be said: XML has no place for control characters.
_UNSPEAKABLE = {code: "?" for code in range(32) if chr(code) not in "\t\n\r"}


def blok_odgovor(result: ValidationResult, now: datetime) -> bytes:
    """The answer to a NODURS report; where its date could not be read, the present day stands in."""
    period = result.period or now.date().isoformat()
    records = ((_blok_attributes(one), one) for one in result.findings)
    return _answer("BlokOdgovor", {"datumPodatkov": period}, result, now, records)


def ps_odgovor(result: ValidationResult, now: datetime) -> bytes:
    """The answer to a SPAPP report."""
    period = result.period or now.strftime("%Y%m")
    records = (({"racun": one.account}, one) for one in result.findings)
    return _answer("PsOdgovor", {"mesecPodatkov": period}, result, now, records)


def count(result: ValidationResult, severity: str) -> int:
    """Returns how many findings of this severity there are."""
    return sum(one.severity == severity for one in result.findings)


def _answer(
    root: str,
    period: dict[str, str],
    result: ValidationResult,
    now: datetime,
    records: Iterable[tuple[dict[str, str | None], Finding]],
) -> bytes:
    whole = io.BytesIO()
    ident = {
        "iErr": str(count(result, ERROR)),
        "maticnaPonudnika": result.provider,
        "datumPriprave": now.isoformat(timespec="seconds"),
        "iWrn": str(count(result, WARNING)),
        **period,
    }
    with etree.xmlfile(whole, encoding="UTF-8") as file:
        file.write_declaration()
        with file.element(root):
            file.write("\n  ", etree.Element("Ident", ident))
            for number, (attributes, finding) in enumerate(records, start=1):
                file.write("\n  ", _napaka(number, attributes, finding))
            file.write("\n")
    return whole.getvalue()


def _napaka(number: int, attributes: dict[str, str | None], finding: Finding) -> etree._Element:
    element = etree.Element(
        "Napaka", {name: value for name, value in attributes.items() if value is not None}
    )
    element.set("id", str(number))
    element.set("vrsta", finding.severity)
    text = finding.text.translate(_UNSPEAKABLE)
    etree.SubElement(element, "Opis").text = text[:_LONGEST_TEXT]
    return element


def _blok_attributes(finding: Finding) -> dict[str, str | None]:
    return {"refId": finding.cancels, "blokId": finding.obligation, "dogId": finding.event}
