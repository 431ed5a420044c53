"""The order that an e-service sends to have a payment opened (6.5.2), and every check of it (6.3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from .codes import Code, FieldError, InvalidError, forbidden
from .fields import FieldReader, is_url, parse_object
from .payment_methods import GROUPS, METHODS, methods_named

if TYPE_CHECKING:
    from .services import Register, Service

_LANGUAGES = ("sl", "en", "it", "hu")
_ACCOUNT_LENGTH = 19
_REGISTRATION_NUMBER_LENGTH = 10
_BUYER = ("sifraKupca", "idDrzavljana", "idZaDdv", "naziv", "naslov", "kraj", "posta", "eposta")
_ITEM_TEXTS = ("sifraArtikla", "podracun", "konto", "sklicPostavke", "opis")


@dataclass(frozen=True, slots=True)
class Order:
    """An order that passed every check. `details` are the fields that are only passed on."""

    ids: int
    id: str
    ways: tuple[str, ...]
    amount_cents: int
    urlpar: str
    success_url: str
    failure_url: str
    callback_url: str
    details: dict[str, Any]


def read_order(body: bytes, service: Service, register: Register) -> Order:
    """Raises `InvalidError` with everything that is wrong, or `ApiError` for somebody else's ids."""
    field_errors: list[FieldError] = []
    form = FieldReader(parse_object(body), field_errors)
    ids = _ids(form, service, register)
    urls = [_registered_url(form, name, service) for name in ("successUrl", "failureUrl", "callbackUrl")]
    items = _items(form)
    order = Order(
        ids=ids,
        id=form.text("id", required=True, longest=300),
        ways=_ways(form),
        amount_cents=_amount_cents(form, items),
        urlpar=form.text("urlpar"),
        success_url=urls[0],
        failure_url=urls[1],
        callback_url=urls[2],
        details=_details(form, items, service, register),
    )
    if field_errors:
        raise InvalidError(*field_errors)
    return order


def _ids(form: FieldReader, service: Service, register: Register) -> int:
    number = form.number("ids", required=True)
    if number is None:
        return 0
    known = register.by_ids(int(number)) if number == number.to_integral_value() else None
    if known is None:
        form.add_error("ids", Code.NO_SERVICE)
    elif known.service.ids != service.ids:
        raise forbidden("ids")
    elif not service.is_active:
        form.add_error("ids", Code.NO_SERVICE)
    elif not service.has_new_flow:
        form.add_error("ids", Code.OLD_FLOW)
    return int(number)


def _registered_url(form: FieldReader, name: str, service: Service) -> str:
    url = form.url(name)
    if is_url(url) and not service.has_registered(url):
        form.add_error(name, Code.URL)
    return url


def _ways(form: FieldReader) -> tuple[str, ...]:
    names = [name.strip() for name in form.text("idn").split(",") if name.strip()]
    if any(name not in METHODS and name not in GROUPS for name in names):
        form.add_error("idn", Code.METHOD)
    return methods_named(names)


def _items(form: FieldReader) -> list[dict[str, Any]]:
    items = [_item(one) for one in form.objects("postavka")]
    if not items:
        form.add_error("postavka", Code.NO_ITEM)
    return items


def _item(form: FieldReader) -> dict[str, Any]:
    quantity, price = form.number("kolicina", required=True), form.number("cena", required=True)
    vat = form.number("odstotekDdv")
    for name, number in (("kolicina", quantity), ("cena", price)):
        if number is not None and number < 0:
            form.add_error(name, Code.NEGATIVE_ITEM)
    if vat is not None and vat < 0:
        form.add_error("odstotekDdv", Code.NEGATIVE_VAT)
    if form.flag("imaProvizijo"):
        form.add_error("imaProvizijo", Code.PROVISION)
    texts = {name: form.text(name) or None for name in _ITEM_TEXTS}
    numbers = {"kolicina": quantity, "cena": price, "odstotekDdv": vat}
    return texts | {name: None if number is None else f"{number:f}" for name, number in numbers.items()}


def _amount_cents(form: FieldReader, items: list[dict[str, Any]]) -> int:
    """Prices are with VAT: in the samples of 6.5 an item of 1 EUR with 22 % makes a payment of 1 EUR."""
    total = sum((Decimal(one["kolicina"] or 0) * Decimal(one["cena"] or 0) for one in items), Decimal())
    if total < 0:
        form.add_error("postavka", Code.NEGATIVE_SUM)
    return int((total * 100).quantize(Decimal(1), ROUND_HALF_UP))


def _details(
    form: FieldReader, items: list[dict[str, Any]], service: Service, register: Register
) -> dict[str, Any]:
    return {
        "maticna": _registration_number(form, service, register),
        "valuta": _currency(form),
        "languageId": _language(form),
        "tipRacuna": _account_type(form),
        "racun": form.text("racun"),
        "racunDobro": form.text("racunDobro", length=_ACCOUNT_LENGTH),
        "sklicDobro": form.text("sklicDobro", longest=26),
        "opisPlacila": form.text("opisPlacila", longest=35),
        "opisDDV": form.text("opisDDV"),
        "referenca": form.text("referenca"),
        "postavka": items,
        "kupec": _buyer(form.object("kupec")),
    }


def _registration_number(form: FieldReader, service: Service, register: Register) -> str:
    number = form.text("maticna", required=True, length=_REGISTRATION_NUMBER_LENGTH)
    if len(number) == _REGISTRATION_NUMBER_LENGTH:
        if not register.knows(number):
            form.add_error("maticna", Code.REGISTRATION_NUMBER)
        elif number != service.registration_number:
            raise forbidden("maticna")
    return number


def _currency(form: FieldReader) -> str:
    currency = form.text("isoValuta") or "EUR"
    if currency != "EUR":
        form.add_error("isoValuta", Code.CURRENCY)
    return currency


def _language(form: FieldReader) -> str:
    language = form.text("languageId") or "sl"
    if language not in _LANGUAGES:
        form.add_error("languageId", Code.LANGUAGE)
    return language


def _account_type(form: FieldReader) -> str:
    number = form.number("tipRacuna")
    if number is not None and number not in (1, 2, 3, 4):
        form.add_error("tipRacuna", Code.NUMBER)
    return "" if number is None else f"{number:f}"


def _buyer(form: FieldReader | None) -> dict[str, Any] | None:
    if form is None:
        return None
    buyer: dict[str, Any] = {name: form.text(name) or None for name in _BUYER}
    return buyer | {"poslano": form.flag("poslano"), "drzava": form.text("drzava", length=2) or None}
