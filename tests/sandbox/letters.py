"""Small reports written by hand, and the SOAP message around one."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

NODURS = "http://www.ajpes.si/xml_sheme/nodurs/nodurs-20100601"
SPAPP = "http://www.ajpes.si/xml_sheme/spapp/spapp-20100601"
SERVICE = "http://www.ajpes.si/wsBlokIzmenjava"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"

PROVIDER = "5860571000"
DAY = "2026-11-17"
# Account: 98 - (0110060300000 * 100 mod 97) = 86. Tax number: 11 - (1*8+2*7+3*6+4*5+5*4+6*3+7*2 mod 11) = 9.
ACCOUNT = "011006030000086"
OTHER_ACCOUNT = "011008000000052"
TAX_NUMBER = "12345679"
CREDITOR = '<Upnik rn="SI56X1"><Naziv>UPNIK</Naziv></Upnik>'


def event(event_id: str, amount: str | int = 10000, inside: str = CREDITOR, **attributes: str | None) -> str:
    """One No without anything to object to; an attribute of None is left out."""
    whole = {"sSpre": "01", "dSpre": DAY, "dtVpis": f"{DAY}T08:00:00"} | attributes
    written = "".join(f" {name}={quoteattr(value)}" for name, value in whole.items() if value is not None)
    return f'<No id="{event_id}" znesek="{amount}"{written}>{inside}</No>'


def cancellation(event_id: str, refid: str | None, amount: int = 10000, **attributes: str) -> str:
    return event(event_id, amount, sSpre="00", refid=refid, **attributes)


def obligation(obligation_id: str, *events: str, issuer: int = 3) -> str:
    return f'<Blok id="{obligation_id}" izdajatelj="{issuer}">{"".join(events)}</Blok>'


def debtor(*obligations: str, tax: str = TAX_NUMBER, name: str = "DOLŽNIK", account: str = ACCOUNT) -> str:
    body = "".join(obligations)
    return f'<Dolznik davcna="{tax}"><Naziv>{name}</Naziv><Tr rn="{account}">{body}</Tr></Dolznik>'


def nodurs(*debtors: str, count: int, total: str | int, day: str = DAY, provider: str = PROVIDER) -> str:
    return (
        f'<Nodurs xmlns="{NODURS}"><Ident datumPriprave="{day}T17:00:00+01:00" steviloZapisov="{count}"'
        f' sestevekZneskov="{total}" maticnaPonudnika="{provider}" datumPodatkov="{day}">'
        f"<Naziv>BANKA VZOREC</Naziv></Ident>{''.join(debtors)}</Nodurs>"
    )


def one(*events: str, count: int, total: str | int, **obligation_facts: str) -> str:
    """A report of the obligation O-1 alone."""
    return nodurs(debtor(obligation("O-1", *events), **obligation_facts), count=count, total=total)


def spapp(*rows: str, debit: str, credit: str, balance: str, month: str = "202610") -> str:
    return (
        f'<Spapp xmlns="{SPAPP}"><Ident datumPriprave="2026-11-05T09:00:00" skupajZnesekBreme="{debit}"'
        f' skupajZnesekDobro="{credit}" skupajZnesekStanj="{balance}" maticnaPonudnika="{PROVIDER}"'
        f' mesecPodatkov="{month}"/>{"".join(rows)}</Spapp>'
    )


def row(account: str, credit: str, debit: str, balance: str) -> str:
    return f'<Pi sta="{balance}" dob="{credit}" rn="{account}" bre="{debit}"/>'


def message(report: str, *ident: str) -> bytes:
    """The call BlokPodOddaj as a stranger might write it, prefixes and all."""
    credentials = "".join(f"<w:string>{text}</w:string>" for text in ident)
    return (
        f'<?xml version="1.0"?><e:Envelope xmlns:e="{SOAP}" xmlns:w="{SERVICE}"><e:Header/><e:Body>'
        f"<w:BlokPodOddaj><w:Blok>{report}</w:Blok><w:Ident>{credentials}</w:Ident></w:BlokPodOddaj>"
        "</e:Body></e:Envelope>"
    ).encode()
