"""Receipts (6.5.4): of a paid payment, as PDF for a person and as XML for a machine."""

from __future__ import annotations

import base64
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any

from lxml import etree

from . import slovene
from .payment_methods import method_name
from .payments import SLOVENIA, invoice_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from .services import Service
    from .store import Payment

# The national standard for electronic invoices, which 7.1 names. The description brings no schema.
ESLOG = "urn:eslog:2.00"
_CENT = Decimal("0.01")


def encoded(content: bytes) -> str:
    """Returns a file as Base64."""
    return base64.b64encode(content).decode()


def as_xml(payment: Payment, service: Service) -> bytes:
    """An invoice in the manner of e-SLOG 2.0: number, day, both sides, items, amount."""
    root = etree.Element(f"{{{ESLOG}}}Invoice", nsmap={None: ESLOG})
    invoice = _add(root, "M_INVOIC", Id="data")
    _segment(invoice, "S_BGM", C_C002={"D_1001": "380"}, C_C106={"D_1004": invoice_number(payment)})
    _segment(invoice, "S_DTM", C_C507={"D_2005": "137", "D_2380": f"{_paid_at(payment):%Y-%m-%d}"})
    _party(invoice, "SE", service.name, {"GN": service.registration_number, "VA": f"SI{service.tax_number}"})
    buyer = payment.order["kupec"] or {}
    _party(invoice, "BY", buyer.get("naziv") or "Končni potrošnik", {"VA": buyer.get("idZaDdv")})
    _segment(_add(invoice, "G_SG7"), "S_CUX", C_C504={"D_6347": "2", "D_6345": "EUR"})
    for number, item in enumerate(payment.order["postavka"], start=1):
        _line(invoice, number, item)
    _segment(
        _add(invoice, "G_SG50"), "S_MOA", C_C516={"D_5025": "388", "D_5004": _euros(payment.amount_cents)}
    )
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def as_pdf(payment: Payment, service: Service) -> bytes:
    """One A4 page or more, in a font that has č, š and ž."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import SimpleDocTemplate

    file = BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=20 * mm,
        rightMargin=20 * mm,
        topMargin=20 * mm,
        bottomMargin=20 * mm,
        title=f"Račun {invoice_number(payment)}",
        author=service.name,
        lang="sl",
    )
    document.build(_story(payment, service))
    return file.getvalue()


WRITERS: dict[str, Callable[[Payment, Service], bytes]] = {"xml": as_xml, "pdf": as_pdf}


def _story(payment: Payment, service: Service) -> list[Any]:
    from xml.sax.saxutils import escape

    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, Spacer

    _register_fonts()
    plain = ParagraphStyle("plain", fontName="Vera", fontSize=9.5, leading=14)
    title = ParagraphStyle("title", fontName="VeraBd", fontSize=16, leading=22, spaceAfter=4 * mm)
    buyer = payment.order["kupec"] or {}
    lines = [
        f"Izdajatelj: {service.name}, matična številka {service.registration_number}",
        f"ID za DDV: SI{service.tax_number}",
        f"Kupec: {buyer.get('naziv') or 'končni potrošnik'}",
        *([f"ID kupca za DDV: {buyer['idZaDdv']}"] if buyer.get("idZaDdv") else []),
        f"Datum računa in opravljene storitve: {slovene.day(payment.paid_at or 0)}",
        f"Plačano: {method_name(payment.way)}, transakcija {payment.transaction_id}",
        f"Namen: {payment.order['opisPlacila'] or service.name}",
    ]
    return [
        Paragraph(f"Račun {invoice_number(payment)}", title),
        *(Paragraph(escape(line), plain) for line in lines),
        Spacer(1, 8 * mm),
        _table(payment, plain),
        Spacer(1, 8 * mm),
        Paragraph("Izdal simulator UJP e-plačil. Račun ni veljaven.", plain),
    ]


def _table(payment: Payment, plain: Any) -> Any:
    from xml.sax.saxutils import escape

    from reportlab.lib import colors
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, Table, TableStyle

    rows: list[list[Any]] = [["Postavka", "Količina", "Cena v EUR", "DDV v %", "Znesek v EUR"]]
    for item in payment.order["postavka"]:
        name = Paragraph(escape((item["opis"] or item["sifraArtikla"] or slovene.NONE)[:1000]), plain)
        quantity, vat = slovene.number(item["kolicina"]), slovene.number(item["odstotekDdv"])
        rows.append([name, quantity, slovene.amount(item["cena"]), vat, slovene.amount(_amount(item))])
    rows.append(["Skupaj", "", "", "", slovene.amount(_euros(payment.amount_cents))])
    look: list[Any] = [
        ("FONT", (0, 0), (-1, -1), "Vera", 9),
        ("FONT", (0, 0), (-1, 0), "VeraBd", 9),
        ("FONT", (0, -1), (-1, -1), "VeraBd", 9),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black),
        ("LINEABOVE", (0, -1), (-1, -1), 0.8, colors.black),
    ]
    return Table(rows, [62 * mm, 24 * mm, 28 * mm, 24 * mm, 32 * mm], repeatRows=1, style=TableStyle(look))


def _register_fonts() -> None:
    """Bitstream Vera comes with reportlab."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    for name in ("Vera", "VeraBd"):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))


def _party(invoice: etree._Element, role: str, name: str, numbers: dict[str, str | None]) -> None:
    party = _add(invoice, "G_SG2")
    _segment(party, "S_NAD", D_3035=role, C_C080={"D_3036": name})
    for kind, number in numbers.items():
        if number:
            _segment(_add(party, "G_SG3"), "S_RFF", C_C506={"D_1153": kind, "D_1154": number})


def _line(invoice: etree._Element, number: int, item: dict[str, Any]) -> None:
    line = _add(invoice, "G_SG26")
    _segment(line, "S_LIN", D_1082=str(number))
    name = item["opis"] or item["sifraArtikla"] or "Postavka"
    _segment(line, "S_IMD", D_7077="F", C_C273={"D_7008": name})
    _segment(line, "S_QTY", C_C186={"D_6063": "47", "D_6060": item["kolicina"]})
    _segment(_add(line, "G_SG27"), "S_MOA", C_C516={"D_5025": "38", "D_5004": str(_amount(item))})
    _segment(_add(line, "G_SG29"), "S_PRI", C_C509={"D_5125": "AAB", "D_5118": item["cena"]})
    if item["odstotekDdv"]:
        tax = _add(line, "G_SG34")
        _segment(tax, "S_TAX", D_5283="7", C_C241={"D_5153": "VAT"}, C_C243={"D_5278": item["odstotekDdv"]})


def _segment(parent: etree._Element, name: str, **content: Any) -> None:
    segment = _add(parent, name)
    for inner, value in content.items():
        if isinstance(value, dict):
            group = _add(segment, inner)
            for leaf, text in value.items():
                _add(group, leaf).text = text
        else:
            _add(segment, inner).text = value


def _add(parent: etree._Element, name: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{ESLOG}}}{name}", attributes)


def _paid_at(payment: Payment) -> datetime:
    return datetime.fromtimestamp(payment.paid_at or 0, SLOVENIA)


def _amount(item: dict[str, Any]) -> Decimal:
    return (Decimal(item["kolicina"]) * Decimal(item["cena"])).quantize(_CENT, ROUND_HALF_UP)


def _euros(cents: int) -> str:
    return str(Decimal(cents).scaleb(-2).quantize(_CENT))
