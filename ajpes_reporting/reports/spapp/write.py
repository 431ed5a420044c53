"""Writes a SPAPP file as a stream of bytes (section 3.2 of the instruction)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.reports.markup import blocks, head, hide

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ajpes_reporting.reports.kind import Request, Selection

ROOT = "Spapp"
NAMESPACE = "http://www.ajpes.si/xml_sheme/spapp/spapp-20100601"
ACCOUNT = b"<Pi "

_IDENT = hide(
    '<Ident datumPriprave="{}" skupajZnesekBreme="{}" skupajZnesekDobro="{}" skupajZnesekStanj="{}"'
    ' maticnaPonudnika="{}" mesecPodatkov="{}"/>\n'
).format


def write(request: Request, selection: Selection) -> Iterator[bytes]:
    """The file in blocks; the first holds the head, with the only time in it that is ours."""
    return blocks(_texts(request, selection))


def _texts(request: Request, selection: Selection) -> Iterator[str | bytes]:
    yield head(ROOT, NAMESPACE) + _IDENT(
        request.prepared_at.isoformat(timespec="seconds"),
        selection.totals["skupajZnesekBreme"],
        selection.totals["skupajZnesekDobro"],
        selection.totals["skupajZnesekStanj"],
        request.provider,
        request.period.compact,
    )
    for (accounts,) in selection.rows:
        yield accounts
    yield hide(f"</{ROOT}>\n")
