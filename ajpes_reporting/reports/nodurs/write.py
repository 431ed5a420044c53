"""Writes a NODURS file as a stream of bytes, in the nesting of section 2.2 of the instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ajpes_reporting.reports.markup import amount_writer, escape, escape_name, head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from ajpes_reporting.domain.money import Amounts
    from ajpes_reporting.reports.kind import Request, Selection

ROOT = "Nodurs"
NAMESPACE = "http://www.ajpes.si/xml_sheme/nodurs/nodurs-20100601"
_BLOCK_LINES = 4_000


def write(request: Request, selection: Selection) -> Iterator[bytes]:
    """The file in blocks; the first holds the head, with the only time in it that is ours."""
    yield _head(request, selection).encode()
    block: list[str] = []
    for line in _body(selection.rows, request.amounts):
        block.append(line)
        if len(block) >= _BLOCK_LINES:
            yield "".join(block).encode()
            block.clear()
    block.append(f"</{ROOT}>\n")
    yield "".join(block).encode()


def _head(request: Request, selection: Selection) -> str:
    prepared_at: datetime = request.prepared_at
    totals = " ".join(f'{name}="{value}"' for name, value in selection.totals.items())
    return (
        head(ROOT, NAMESPACE)
        + f'<Ident datumPriprave="{prepared_at.isoformat(timespec="seconds")}" {totals}'
        + f' datumPodatkov="{request.period.key}" maticnaPonudnika="{request.provider}">'
        + f"<Naziv>{escape(request.provider_name)}</Naziv></Ident>\n"
    )


def _body(rows: Iterable[tuple[Any, ...]], amounts: Amounts) -> Iterator[str]:
    """Lines of XML; an element opens when its key changes and closes before the next one opens."""
    format_amount = amount_writer(amounts)
    debtor = account = obligation = None
    for row in rows:
        debtor_key, tax_number, name, account_number, obligation_key, obligation_id, issuer, *event = row
        if obligation_key != obligation:
            if obligation is not None:
                yield "</Blok>\n"
            if account is not None and (debtor_key, account_number) != (debtor, account):
                yield "</Tr>\n"
            if debtor_key != debtor:
                if debtor is not None:
                    yield "</Dolznik>\n"
                yield f'<Dolznik davcna="{tax_number}"><Naziv>{escape_name(name)}</Naziv>\n'
            if (debtor_key, account_number) != (debtor, account):
                yield f'<Tr rn="{account_number}">\n'
            debtor, account, obligation = debtor_key, account_number, obligation_key
            yield f'<Blok id="{escape(obligation_id)}" izdajatelj="{issuer}">\n'
        yield _event(event, format_amount)
    if obligation is not None:
        yield "</Blok>\n</Tr>\n</Dolznik>\n"


def _event(event: list[Any], format_amount: Callable[[int], str]) -> str:
    (event_id, cancels, change_type, change_date, amount_cents, recorded_as,
     model, reference, priority, creditor_account, creditor_name) = event  # fmt: skip
    refid = f' refid="{escape(cancels)}"' if cancels is not None else ""
    details = "".join(
        f' {name}="{escape(str(value))}"'
        for name, value in (("model", model), ("sklic", reference), ("prior", priority))
        if value is not None
    )
    opening = (
        f'<No id="{escape(event_id)}"{refid} sSpre="{change_type}" dSpre="{change_date.isoformat()}"'
        f' znesek="{format_amount(amount_cents)}" dtVpis="{recorded_as}"{details}'
    )
    if creditor_account is None:
        return opening + "/>\n"
    return (
        f'{opening}><Upnik rn="{creditor_account}"><Naziv>{escape_name(creditor_name)}</Naziv></Upnik></No>\n'
    )
