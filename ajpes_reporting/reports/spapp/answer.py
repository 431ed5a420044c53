"""Reads PsOdgovor, the authority's answer to a SPAPP report (section 4.2 of the instruction)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.domain.answers import AnswerHead, AnswerRow
from ajpes_reporting.reports.markup import description, read_count, read_moment, severity

if TYPE_CHECKING:
    from ajpes_reporting.xmlread import Record

ROOT = "PsOdgovor"
SCHEMA = "psodgovor.xsd"


def read_head(ident: Record) -> AnswerHead:
    """`Ident` of an answer that follows its schema."""
    month = ident.attributes.get("mesecPodatkov", "")
    return AnswerHead(
        provider=ident.attributes.get("maticnaPonudnika", ""),
        period_key=f"{month[:4]}-{month[4:]}" if month else "",
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
        account=fields.get("racun") or None,
    )
