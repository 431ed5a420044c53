"""Reads PsOdgovor, the authority's answer to a SPAPP report (section 4.2 of the instruction)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.domain.answers import AnswerHead, AnswerRow
from ajpes_reporting.reports.markup import description, read_moment, severity

if TYPE_CHECKING:
    from ajpes_reporting.xmlread import Element

ROOT = "PsOdgovor"
SCHEMA = "psodgovor.xsd"


def read_head(ident: Element) -> AnswerHead:
    """`Ident` of an answer that follows its schema."""
    month = ident.get("mesecPodatkov", "")
    return AnswerHead(
        provider=ident.get("maticnaPonudnika", ""),
        period_key=f"{month[:4]}-{month[4:]}",
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
        account=row.get("racun") or None,
    )
