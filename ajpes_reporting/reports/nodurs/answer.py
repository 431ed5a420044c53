"""Reads BlokOdgovor, the authority's answer to a NODURS report (section 4.1.1 of the instruction).

The instruction spells two attributes in two ways (refId and refid, Id and id); both are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.domain.answers import AnswerHead, AnswerRow
from ajpes_reporting.reports.markup import description, read_count, read_moment, severity

if TYPE_CHECKING:
    from ajpes_reporting.xmlread import Record

ROOT = "BlokOdgovor"
SCHEMA = "blokodgovor.xsd"


def read_head(ident: Record) -> AnswerHead:
    """`Ident` of an answer that follows its schema."""
    return AnswerHead(
        provider=ident.attributes.get("maticnaPonudnika", ""),
        period_key=ident.attributes.get("datumPodatkov", "")[:10],
        prepared_at=read_moment(ident.attributes.get("datumPriprave", "")),
        declared_errors=read_count(ident.attributes.get("iErr", "")),
        declared_warnings=read_count(ident.attributes.get("iWrn", "")),
    )


def read_row(row: Record) -> AnswerRow:
    """`Napaka` of an answer that follows its schema."""
    fields = row.attributes
    return AnswerRow(
        severity=severity(row),
        code=fields.get("Id") or fields.get("id") or "",
        text=description(row),
        obligation_id=fields.get("blokId") or None,
        event_id=fields.get("dogId") or None,
        ref_id=fields.get("refId") or fields.get("refid") or None,
    )
