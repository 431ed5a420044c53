"""Bank statements to import, written part by part as ISO 20022 has them."""

from __future__ import annotations

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."


def entry(
    cents: int,
    *,
    booked: str = "<Dt>2026-10-05</Dt>",
    status: str = "BOOK",
    reference: str = "",
    own_reference: str = "",
    currency: str = "EUR",
    more: str = "",
    amount: str = "",
    version: str = "08",
) -> str:
    """An entry; debits are negative. `more` stands before its status, where `RvslInd` has its place."""
    told = status if version < "07" else f"<Cd>{status}</Cd>"
    return (
        "<Ntry>"
        f"{f'<NtryRef>{own_reference}</NtryRef>' if own_reference else ''}"
        f'<Amt Ccy="{currency}">{amount or _euros(abs(cents))}</Amt>'
        f"<CdtDbtInd>{_direction(cents)}</CdtDbtInd>{more}"
        f"<Sts>{told}</Sts>"
        f"{f'<BookgDt>{booked}</BookgDt>' if booked else ''}"
        f"{f'<AcctSvcrRef>{reference}</AcctSvcrRef>' if reference else ''}"
        "</Ntry>"
    )


def balance(code: str, cents: int, day: str) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="EUR">{_euros(abs(cents))}</Amt><CdtDbtInd>{_direction(cents)}</CdtDbtInd>'
        f"<Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def statement(
    *entries: str,
    opening: int = 0,
    closing: int,
    identifier: str = "S-1",
    sequence: int | None = None,
    page: int | None = None,
    begins: str = "2026-10-01",
    ends: str = "2026-10-10",
    account: str = "<IBAN>SI56010000100002123</IBAN>",
    currency: str = "EUR",
    balances: str | None = None,
    summary: str = "",
) -> str:
    """A statement; by default its balances are OPBD and CLBD."""
    if balances is None:
        balances = balance("OPBD", opening, begins) + balance("CLBD", closing, ends)
    return (
        f"<Stmt><Id>{identifier}</Id>"
        f"{f'<StmtPgntn><PgNb>{page}</PgNb></StmtPgntn>' if page else ''}"
        f"{f'<ElctrncSeqNb>{sequence}</ElctrncSeqNb>' if sequence else ''}"
        f"<CreDtTm>{ends}T20:00:00</CreDtTm>"
        f"<Acct><Id>{account}</Id><Ccy>{currency}</Ccy></Acct>"
        f"{balances}{summary}{''.join(entries)}</Stmt>"
    )


def document(*statements: str, version: str = "08", message: str = "") -> str:
    return (
        f'<Document xmlns="{message or NAMESPACE + version}"><BkToCstmrStmt>'
        "<GrpHdr><MsgId>M-1</MsgId><CreDtTm>2026-10-10T20:00:00</CreDtTm></GrpHdr>"
        f"{''.join(statements)}</BkToCstmrStmt></Document>"
    )


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _direction(cents: int) -> str:
    return "DBIT" if cents < 0 else "CRDT"
