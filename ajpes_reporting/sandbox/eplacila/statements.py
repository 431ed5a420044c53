"""Statements (6.5.5): the payments of an e-service in a period, written as a stream."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lxml import etree

from .answers import PAYMENT_SERVICE, amount
from .codes import Code, FieldError, InvalidError, forbidden
from .payment_methods import DELAYED
from .payments import SLOVENIA, Status, invoice_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .answers import AnswerWriter
    from .rules import Rules
    from .services import Register, Service
    from .store import Payment, Store

NAMESPACE = "http://www.ujp.gov.si/eplacila/izpisek"
_EPOCH = re.compile(r"-?[0-9]{1,11}")
# States that a payment can be found in; 3 is left out, for as a result in a statement it means "paid".
_STATUSES = {Status.PAID, Status.ABANDONED, Status.DOUBTFUL, Status.FAILED, Status.WAITING}
_BLOCK = 3 * (1 << 14)  # base64 of a multiple of three can be joined


@dataclass(frozen=True, slots=True)
class Selection:
    """The selection of a statement. `since` and `until` are days in Slovenia, both included."""

    service: Service
    since: date
    until: date
    today: date
    statuses: frozenset[int]
    delayed: bool


def select(
    number: str, query: Mapping[str, str], service: Service, register: Register, rules: Rules, now: datetime
) -> Selection:
    """Return the selection that was asked for. Raises `InvalidError` or `ApiError`."""
    if len(number) != 10:
        raise InvalidError(FieldError("maticnaSt", Code.LENGTH))
    if not register.knows(number):
        raise InvalidError(FieldError("maticnaSt", Code.REGISTRATION_NUMBER))
    if number != service.registration_number:
        raise forbidden("maticnaSt")
    today = now.astimezone(SLOVENIA).date()
    since, until = _day("datumOd", query), _day("datumDo", query)
    _check_period(since, until, today, rules.longest_statement_days)
    delayed = query.get("zakasnjenaplacila", "").lower() == "true"
    statuses = _statuses(query.get("izbranistatusi", ""))
    # 6.5.5.1: without delayed payments, only successful ones.
    return Selection(service, since, until, today, statuses if delayed else frozenset({Status.PAID}), delayed)


def json_pieces(store: Store, selection: Selection, writer: AnswerWriter, rules: Rules) -> Iterator[bytes]:
    """Yield the object Izpisek of 6.5.5.1."""
    head = json.dumps(writer.numbers(_head(selection)))
    yield head[:-1].encode() + b', "placilo": ['
    comma = ""
    for payment in _payments(store, selection, rules):
        entry = writer.numbers(_entry(payment, writer, rules))
        yield (comma + json.dumps(entry, ensure_ascii=False, default=float)).encode()
        comma = ","
    yield b"]}"


def file_pieces(
    kind: str, store: Store, selection: Selection, writer: AnswerWriter, rules: Rules, with_namespace: bool
) -> Iterator[bytes]:
    """Yield a statement as a file, XML or JSON, in base64 and between quotation marks (6.5.5.2)."""
    if kind == "json":
        pieces = json_pieces(store, selection, writer, rules)
    else:
        pieces = _xml_pieces(store, selection, writer, rules, with_namespace)
    yield b'"'
    yield from _base64(pieces)
    yield b'"'


def _xml_pieces(
    store: Store, selection: Selection, writer: AnswerWriter, rules: Rules, with_namespace: bool
) -> Iterator[bytes]:
    namespace = f' xmlns="{NAMESPACE}"' if with_namespace else ""
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<izpisek{namespace}>'.encode()
    for name, value in _head(selection).items():
        yield f"<{name}>{value}</{name}>".encode()
    for payment in _payments(store, selection, rules):
        # The namespace of the root, if there is one, holds for what stands in it.
        yield etree.tostring(_element("placilo", _entry(payment, writer, rules)), encoding="unicode").encode()
    yield b"</izpisek>\n"


def _payments(store: Store, selection: Selection, rules: Rules) -> Iterator[Payment]:
    service = selection.service
    days = selection.since.isoformat(), selection.until.isoformat()
    apart = rules.delayed_payments == "apart"
    for payment in store.between(service.registration_number, service.ids, days, selection.statuses):
        is_delayed = payment.way == DELAYED
        if is_delayed == selection.delayed or not apart:
            yield payment


def _head(selection: Selection) -> dict[str, Any]:
    days = {"na": selection.today, "od": selection.since, "do": selection.until}
    return {"stevilka": 0} | {name: f"{day:%d. %m. %Y}" for name, day in days.items()}


def _entry(payment: Payment, writer: AnswerWriter, rules: Rules) -> dict[str, Any]:
    order = payment.order
    is_paid = payment.status == Status.PAID
    entry = {
        "id": payment.order_id,
        "idEplacil": payment.transaction_id,
        "idStoritve": str(payment.ids),
        "ponudnik": payment.registration_number,
        "referenca": order["referenca"],
        "rezultat": rules.statement_result_of_paid if is_paid else payment.status,
        "znesek": amount(payment.amount_cents),
        "davcnaStPlacilniServis": PAYMENT_SERVICE,
        "datumPlacila": writer.moment(payment.paid_at),
        "datumNakazila": None,
        "sklicNakazila": order["sklicDobro"],
        "nacinPlacila": writer.way(payment),
        "namen": order["opisPlacila"],
        "reklamacijska": f"R{payment.number:08}",
        "urlpar": payment.urlpar,
        "racun": _invoice(payment, writer, order),
    }
    if rules.reversals_in_statements and payment.reversed_cents:
        entry["znesekStornacij"] = amount(payment.reversed_cents)
        entry["casZadnjeStornacije"] = writer.moment(payment.reversed_at)
    return entry


def _invoice(payment: Payment, writer: AnswerWriter, order: dict[str, Any]) -> dict[str, Any] | None:
    number = invoice_number(payment)
    if number is None:
        return None
    return {
        "stevilkaRacuna": number,
        "datumRacuna": writer.moment(payment.paid_at),
        "datumOpravljeneStoritve": writer.moment(payment.paid_at),
        "postavka": [_item(one) for one in order["postavka"]],
        "kupec": order["kupec"],
    }


def _item(item: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: item[name] for name in ("kolicina", "cena", "odstotekDdv")}
    return item | {name: None if value is None else Decimal(value) for name, value in numbers.items()}


def _element(name: str, content: Any) -> etree._Element:
    element = etree.Element(name)
    if isinstance(content, dict):
        for inner, value in content.items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    element.append(_element(inner, one))
    elif isinstance(content, bool):
        element.text = str(content).lower()
    elif isinstance(content, Decimal):
        element.text = f"{content:f}"
    else:
        element.text = str(content)
    return element


def _base64(pieces: Iterator[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= _BLOCK:
            whole = len(waiting) - len(waiting) % 3
            yield base64.b64encode(waiting[:whole])
            del waiting[:whole]
    yield base64.b64encode(waiting)


def _day(name: str, query: Mapping[str, str]) -> date:
    """Return the day in Slovenia of a moment in epoch seconds, of which only the day counts (6.5.5)."""
    text = query.get(name.lower(), "").strip()
    if not text:
        raise InvalidError(FieldError(name, Code.EMPTY))
    if not _EPOCH.fullmatch(text):
        raise InvalidError(FieldError(name, Code.DATE))
    try:
        return datetime.fromtimestamp(int(text), SLOVENIA).date()
    except (ValueError, OverflowError, OSError):
        raise InvalidError(FieldError(name, Code.DATE)) from None


def _check_period(since: date, until: date, today: date, longest: int) -> None:
    if since > until:
        raise InvalidError(FieldError("datumOd", Code.PERIOD_REVERSED))
    if since > today or since.year < 2000:
        raise InvalidError(FieldError("datumOd", Code.PERIOD))
    if (until - since).days > longest:
        raise InvalidError(FieldError("datumDo", Code.PERIOD_TOO_LONG))


def _statuses(text: str) -> frozenset[int]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if any(name not in {str(int(one)) for one in _STATUSES} for name in names):
        raise InvalidError(FieldError("izbraniStatusi", Code.STATUSES))
    return frozenset(int(name) for name in names) or frozenset({Status.PAID})
