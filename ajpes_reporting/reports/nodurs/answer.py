"""Reads BlokOdgovor, the authority's answer to a NODURS report (section 4.1.1 of the instruction).

The instruction spells two attributes in two ways (refId and refid, Id and id); both are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.domain.answers import AnswerHead, AnswerRow
from ajpes_reporting.reports.markup import description, read_moment, severity

if TYPE_CHECKING:
    from ajpes_reporting.xmlread import Element

ROOT = "BlokOdgovor"
SCHEMA = "blokodgovor.xsd"


def read_head(ident: Element) -> AnswerHead:
    """`Ident` of an answer that follows its schema."""
    return AnswerHead(
        provider=ident.get("maticnaPonudnika", ""),
        period_key=ident.get("datumPodatkov", "")[:10],
        prepared_at=read_moment(ident.get("datumPriprave", "")),
        declared_errors=int(ident.get("iErr", "0")),
        declared_warnings=int(ident.get("iWrn", "0")),
    )


def read_row(row: Element) -> AnswerRow:
    """`Napaka` of an answer that follows its schema."""
    return AnswerRow(
        severity=severity(row),
        code=row.get("Id") or row.get("id") or "",
        text=description(row),
        obligation_id=row.get("blokId") or None,
        event_id=row.get("dogId") or None,
        ref_id=row.get("refId") or row.get("refid") or None,
    )
