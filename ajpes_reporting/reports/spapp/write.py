"""Writes a SPAPP file as a stream of bytes (section 3.2 of the instruction)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.reports.markup import amount_writer, head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ajpes_reporting.reports.kind import Request, Selection

ROOT = "Spapp"
NAMESPACE = "http://www.ajpes.si/xml_sheme/spapp/spapp-20100601"
_BLOCK_LINES = 8_000


def write(request: Request, selection: Selection) -> Iterator[bytes]:
    """The file in blocks; the first holds the head, with the only time in it that is ours."""
    totals = " ".join(f'{name}="{value}"' for name, value in selection.totals.items())
    yield (
        head(ROOT, NAMESPACE)
        + f'<Ident datumPriprave="{request.prepared_at.isoformat(timespec="seconds")}" {totals}'
        + f' maticnaPonudnika="{request.provider}" mesecPodatkov="{request.period.compact}"/>\n'
    ).encode()
    written = amount_writer(request.amounts)
    block: list[str] = []
    for account, balance, credit, debit in selection.rows:
        block.append(
            f'<Pi sta="{written(balance)}" dob="{written(credit)}" rn="{account}" bre="{written(debit)}"/>\n'
        )
        if len(block) >= _BLOCK_LINES:
            yield "".join(block).encode()
            block.clear()
    block.append(f"</{ROOT}>\n")
    yield "".join(block).encode()
