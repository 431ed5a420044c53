"""Writes a NODURS file as a stream of bytes, in the nesting of section 2.2 of the instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ajpes_reporting.domain.columns import EVENT_COLUMNS
from ajpes_reporting.reports.markup import blocks, head, hide

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ajpes_reporting.reports.kind import Request, Selection

ROOT = "Nodurs"
NAMESPACE = "http://www.ajpes.si/xml_sheme/nodurs/nodurs-20100601"
EVENT = b"<No "

EVENT_ATTRIBUTES = [
    (column, column.location.removeprefix("No/"))
    for column in EVENT_COLUMNS
    if column.location.startswith("No/")
]
"""The columns of an event that are attributes of `No`, with their names, in the order of section 2.2."""

_IDENT = hide(
    '<Ident datumPriprave="{}" steviloZapisov="{}" sestevekZneskov="{}" datumPodatkov="{}"'
    ' maticnaPonudnika="{}"><Naziv>{}</Naziv></Ident>\n'
).format
_DEBTOR, _DEBTOR_ENDS = hide('<Dolznik davcna="{}"><Naziv>{}</Naziv>\n').format, hide("</Dolznik>\n")
_ACCOUNT, _ACCOUNT_ENDS = hide('<Tr rn="{}">\n').format, hide("</Tr>\n")
_OBLIGATION, _OBLIGATION_ENDS = hide('<Blok id="{}" izdajatelj="{}">\n').format, hide("</Blok>\n")


def write(request: Request, selection: Selection) -> Iterator[bytes]:
    """The file in blocks; the first holds the head, with the only time in it that is ours."""
    return blocks(_texts(request, selection))


def _texts(request: Request, selection: Selection) -> Iterator[str | bytes]:
    yield head(ROOT, NAMESPACE) + _IDENT(
        request.prepared_at.isoformat(timespec="seconds"),
        selection.totals["steviloZapisov"],
        selection.totals["sestevekZneskov"],
        request.period.key,
        request.provider,
        request.provider_name,
    )
    yield from _body(selection.rows)
    yield hide(f"</{ROOT}>\n")


def _body(rows: Iterable[tuple[Any, ...]]) -> Iterator[str | bytes]:
    """An element opens when its key changes and closes before the next one opens."""
    debtor = account = None
    for debtor_key, tax_number, name, number, obligation_id, issuer, history in rows:
        if account is not None and (debtor_key, number) != (debtor, account):
            yield _ACCOUNT_ENDS
        if debtor_key != debtor:
            if debtor is not None:
                yield _DEBTOR_ENDS
            yield _DEBTOR(tax_number, name)
        if (debtor_key, number) != (debtor, account):
            yield _ACCOUNT(number)
        debtor, account = debtor_key, number
        yield _OBLIGATION(obligation_id, issuer)
        yield history
        yield _OBLIGATION_ENDS
    if account is not None:
        yield _ACCOUNT_ENDS + _DEBTOR_ENDS
