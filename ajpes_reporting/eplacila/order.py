"""Orders (section 6.5.2), checked before they are sent against everything the document says of them.

Names are English here; in JSON, in and out, they are those of the document. Prices are integer
cents; in JSON they are euros, as the document wants them.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from stdnum import iban

from ajpes_reporting.domain.errors import ChecksRefused
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.eplacila.codes import Code
from ajpes_reporting.eplacila.reading import Number, Text, read_cents, read_decimal
from ajpes_reporting.eplacila.urls import parse_url
from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

METHODS = (
    "GRP_CARDS",
    "GRP_MOBILE",
    "GRP_EBANK",
    "BANKANET",
    "DINERSCLUB",
    "HALMBILLS",
    "MAESTRO",
    "MASTERCARD",
    "MONETA",
    "VISA",
    "FLIK",
    "QR koda",
)
LANGUAGES = ("sl", "en", "it", "hu")
ACCOUNT_KINDS = ("1", "2", "3", "4")
CURRENCY = "EUR"

_LONGEST_ID = 300
_LONGEST_LINK = 1000
_LONGEST_DESCRIPTION = 35
_REGISTRATION_NUMBER = re.compile("[0-9]{7}([0-9]{3})?")
_REFERENCE = re.compile("SI[0-9]{2}([0-9-]*)")
_MOST_DIGITS, _MOST_HYPHENS = 20, 2
_COUNTRY = re.compile("[A-Z]{2}")
_LARGEST = Decimal(10) ** 9
_EMPTY = _("the value is empty")
_TOO_MANY_DIGITS = _("the value has more digits than a number in JSON keeps")
_MOST_LINES_NAMED = 5
_EXACT = Context(prec=60)  # a quantity of 26 digits times a price, and as many items as fit into a request


def _methods(value: object) -> object:
    """Return the payment methods, which stand in one text, divided by commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return () if value is None else value


class SentModel(BaseModel):
    """A document that we send; a field that it does not have is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
    )


_Decimal = Annotated[Decimal, BeforeValidator(read_decimal)]


class Item(SentModel):
    """One line of an order. `vat_percent` is None for what is free of VAT."""

    quantity: _Decimal = Field(default=Decimal(1), alias="kolicina")
    price_cents: Annotated[int, Number]
    description: Text = Field(default="", alias="opis")
    vat_percent: _Decimal | None = Field(default=None, alias="odstotekDdv")
    article: Text = Field(default="", alias="sifraArtikla")
    subaccount: Text = Field(default="", alias="podracun")
    ledger_account: Text = Field(default="", alias="konto")
    reference: Text = Field(default="", alias="sklicPostavke")

    @model_validator(mode="before")
    @classmethod
    def _price_in_euros(cls, given: Any) -> Any:
        """`cena` is in euros. The document's sample also says whether there is VAT, which we can see."""
        if not isinstance(given, dict):
            return given
        known = {key: value for key, value in given.items() if key not in ("cena", "odstotekDdvSpecified")}
        return {**known, "price_cents": read_cents(given["cena"])} if "cena" in given else known

    @property
    def exact_cents(self) -> Decimal:
        """The amount of this line, with the fractions of a cent that a quantity may bring."""
        return _EXACT.multiply(self.quantity, self.price_cents)


class Buyer(SentModel):
    """The payer, for the invoice alone; all of it may be left out."""

    number: Text = Field(default="", alias="sifraKupca")
    citizen: Text = Field(default="", alias="idDrzavljana")
    vat_number: Text = Field(default="", alias="idZaDdv")
    name: Text = Field(default="", alias="naziv")
    address: Text = Field(default="", alias="naslov")
    town: Text = Field(default="", alias="kraj")
    post: Text = Field(default="", alias="posta")
    email: Text = Field(default="", alias="eposta")
    send_invoice: bool | None = Field(default=None, alias="poslano")
    country: Text = Field(default="", alias="drzava")


class Order(SentModel):
    """A locked basket. `id` must be one that nobody can guess and that was never used before."""

    id: Text = ""
    recipient: Text = Field(default="", alias="maticna")
    success_url: Text = Field(default="", alias="successUrl")
    failure_url: Text = Field(default="", alias="failureUrl")
    callback_url: Text = Field(default="", alias="callbackUrl")
    items: tuple[Item, ...] = Field(default=(), alias="postavka")
    description: Text = Field(default="", alias="opisPlacila")
    methods: Annotated[tuple[str, ...], BeforeValidator(_methods)] = Field(default=(), alias="idn")
    currency: Text = Field(default=CURRENCY, alias="isoValuta")
    account: Text = Field(default="", alias="racun")
    account_kind: Text = Field(default="", alias="tipRacuna")
    vat_description: Text = Field(default="", alias="opisDDV")
    document: Text = Field(default="", alias="referenca")
    credit_account: Text = Field(default="", alias="racunDobro")
    credit_reference: Text = Field(default="", alias="sklicDobro")
    parameter: Text = Field(default="", alias="urlpar")
    language: Text = Field(default="", alias="languageId")
    buyer: Buyer | None = Field(default=None, alias="kupec")

    @property
    def total_cents(self) -> int:
        """The sum of the items, each rounded to a cent."""
        return sum(_whole_cents(item.exact_cents) for item in self.items)

    @property
    def total_cents_rounded_last(self) -> int:
        """The sum of the items as they are, rounded to a cent once."""
        total = Decimal()
        for item in self.items:
            total = _EXACT.add(total, item.exact_cents)
        return _whole_cents(total)


def read_order(document: dict[str, Any], ids: int) -> Order:
    """Return an order from JSON with the names of the document. `ids` may be left out there.

    Raises `ChecksRefused` naming each field that cannot be read; nothing was sent.
    """
    given = dict(document)
    stated = given.pop("ids", ids)
    try:
        order = Order.model_validate(given)
    except ValidationError as error:
        raise _refused([_unreadable(item) for item in error.errors(include_input=False)], "") from None
    if str(stated) != str(ids):
        raise _refused(
            [_finding(order, "ids", Code.NO_SERVICE, _("the value is not eplacila.ids"))], order.id
        )
    return order


def require_valid(order: Order) -> None:
    """Raise `ChecksRefused` with everything that the document forbids about this order."""
    if findings := list(check_order(order)):
        raise _refused(findings, order.id)


def order_document(order: Order, ids: int) -> dict[str, Any]:
    """Return an order as it is sent; what was not given is left out."""
    document = _document(order) | {"ids": ids, "postavka": [_item_document(item) for item in order.items]}
    if order.methods:
        document["idn"] = ",".join(order.methods)
    if order.buyer is not None:
        document["kupec"] = _document(order.buyer)
    return document


def check_order(order: Order) -> Iterator[Finding]:
    """Yield all that the document forbids (sections 6.3.4 and 6.5.2), with the code UJP would answer."""
    yield from _identifier_findings(order)
    for name in ("success_url", "failure_url", "callback_url"):
        yield from _link_findings(order, name)
    yield from _choice_findings(order)
    yield from _account_findings(order)
    if not order.items:
        yield _finding(order, "postavka", Code.NO_ITEMS, _EMPTY)
    item_findings = [
        found for number, item in enumerate(order.items, 1) for found in _item_findings(order, number, item)
    ]
    yield from item_findings
    if not item_findings:
        yield from _rounding_findings(order)
    if order.buyer and order.buyer.country and not _COUNTRY.fullmatch(order.buyer.country):
        yield _finding(
            order, "kupec.drzava", Code.WRONG_LENGTH, _("the value is not two capital letters, such as SI")
        )


def _identifier_findings(order: Order) -> Iterator[Finding]:
    if not order.id.strip():
        yield _finding(order, "id", Code.EMPTY, _EMPTY)
    elif len(order.id) > _LONGEST_ID:
        yield _finding(order, "id", Code.TOO_LONG, _too_long(_LONGEST_ID))
    elif not order.id.isprintable() or set(order.id) == {"."} or set("/\\") & set(order.id):
        # It becomes a part of the address when the status is asked by it.
        yield _finding(order, "id", Code.OTHER, _("the value cannot stand in an address"))
    if not order.recipient:
        yield _finding(order, "maticna", Code.EMPTY, _EMPTY)
    elif not _REGISTRATION_NUMBER.fullmatch(order.recipient):
        yield _finding(order, "maticna", Code.WRONG_LENGTH, _("a registration number has 7 or 10 digits"))
    if len(order.description) > _LONGEST_DESCRIPTION:
        yield _finding(order, "opisPlacila", Code.TOO_LONG, _too_long(_LONGEST_DESCRIPTION))


def _link_findings(order: Order, name: str) -> Iterator[Finding]:
    link, field = getattr(order, name), Order.model_fields[name].alias or name
    if not link:
        yield _finding(order, field, Code.EMPTY, _EMPTY)
    elif len(link) > _LONGEST_LINK:
        yield _finding(order, field, Code.TOO_LONG, _too_long(_LONGEST_LINK))
    elif not _is_valid_url(link):
        yield _finding(
            order, field, Code.BAD_LINK, _("the value is not an address that begins with https://")
        )


def _choice_findings(order: Order) -> Iterator[Finding]:
    if order.currency != CURRENCY:
        yield _finding(order, "isoValuta", Code.CURRENCY, _("only {currency} is taken", currency=CURRENCY))
    if unknown := [method for method in order.methods if method not in METHODS]:
        yield _finding(
            order, "idn", Code.BAD_METHOD, _("UJP has no payment method {methods}", methods=unknown)
        )
    if order.language and order.language not in LANGUAGES:
        yield _finding(order, "languageId", Code.BAD_LANGUAGE, _none_of(LANGUAGES))
    if order.account_kind and order.account_kind not in ACCOUNT_KINDS:
        yield _finding(order, "tipRacuna", Code.BAD_NUMBER, _none_of(ACCOUNT_KINDS))


def _account_findings(order: Order) -> Iterator[Finding]:
    account = order.credit_account
    if account and not (account.startswith("SI") and " " not in account and iban.is_valid(account)):
        yield _finding(
            order, "racunDobro", Code.OTHER, _("the value is no whole Slovenian IBAN without spaces")
        )
    found = _REFERENCE.fullmatch(order.credit_reference)
    if order.credit_reference and not (found and _content_fits(found[1])):
        wrong = _("the value is not SInn and at most 20 digits with at most two hyphens")
        yield _finding(order, "sklicDobro", Code.OTHER, wrong)


def _content_fits(content: str) -> bool:
    hyphens = content.count("-")
    return len(content) - hyphens <= _MOST_DIGITS and hyphens <= _MOST_HYPHENS


def _item_findings(order: Order, number: int, item: Item) -> Iterator[Finding]:
    """Without a price or a quantity below zero, no total is below zero either (code 212)."""
    place = f"postavka {number}"
    for field, value in (("kolicina", item.quantity), ("cena", Decimal(item.price_cents))):
        if value >= _LARGEST:
            yield _finding(order, f"{place} {field}", Code.BAD_NUMBER, _("the value is too large"))
        elif value < 0:
            yield _finding(order, f"{place} {field}", Code.NEGATIVE_ITEM, _("the value is negative"))
        elif not _is_exact(value):
            yield _finding(order, f"{place} {field}", Code.BAD_NUMBER, _TOO_MANY_DIGITS)
    vat = item.vat_percent
    if vat is not None and vat >= _LARGEST:
        yield _finding(order, f"{place} odstotekDdv", Code.BAD_NUMBER, _("the value is too large"))
    elif vat is not None and vat < 0:
        yield _finding(order, f"{place} odstotekDdv", Code.NEGATIVE_VAT, _("the value is negative"))
    elif vat is not None and not _is_exact(vat):
        yield _finding(order, f"{place} odstotekDdv", Code.BAD_NUMBER, _TOO_MANY_DIGITS)


def _rounding_findings(order: Order) -> Iterator[Finding]:
    """The document does not say where UJP rounds; an order must cost the same either way.

    Otherwise it might be paid with another amount than was ordered here.
    """
    each, once = order.total_cents, order.total_cents_rounded_last
    if each == once:
        return
    lines = [
        _(
            "postavka {number}: {quantity} x {price:eur} = {amount} EUR",
            number=number,
            quantity=f"{item.quantity:f}",
            price=item.price_cents,
            amount=f"{_EXACT.divide(item.exact_cents, 100).normalize(_EXACT):f}",
        )
        for number, item in enumerate(order.items, 1)
        if item.exact_cents != item.exact_cents.to_integral_value()
    ]
    named, more = lines[:_MOST_LINES_NAMED], len(lines) - _MOST_LINES_NAMED
    if more > 0:
        named.append(_("further lines: {more:count}", more=more))
    what = _(
        "postavka: with each line rounded to a cent the order costs {each:eur}, with only the sum "
        "rounded {once:eur}, and UJP does not say which of them the payer is asked for ({lines})",
        each=each,
        once=once,
        lines=named,
    )
    remedy = _("make each of these lines whole cents: kolicina 1 and its amount as cena, or another cena")
    yield Finding(Severity.ERROR, _name(order), "postavka", "eplacila.rounding", what, remedy)


def _whole_cents(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP, _EXACT))


def _is_valid_url(text: str) -> bool:
    """Whether UJP may call and redirect there: over https (section 2.1), here also without."""
    try:
        parse_url(text)
    except ValueError:
        return False
    return True


def _document(part: BaseModel) -> dict[str, Any]:
    """Return the plain fields that were given, under the names of the document."""
    fields = type(part).model_fields
    return {
        fields[name].alias or name: value
        for name, value in part
        if isinstance(value, str | bool) and value != ""
    }


def _item_document(item: Item) -> dict[str, Any]:
    document = _document(item) | {
        "kolicina": _number(item.quantity),
        "cena": _number(Decimal(item.price_cents) / 100),
    }
    if item.vat_percent is not None:
        document |= {"odstotekDdv": _number(item.vat_percent), "odstotekDdvSpecified": True}
    return document


def _is_exact(value: Decimal) -> bool:
    """Whether a number stays the same in JSON, where many readers have only floats."""
    return Decimal(repr(float(value))) == value


def _number(value: Decimal) -> int | float:
    """Return a number for JSON, which has no decimals: an exact float has the text of the decimal."""
    return int(value) if value == value.to_integral_value() else float(value)


def _finding(order: Order, field: str, code: Code, wrong: Message) -> Finding:
    return Finding(
        Severity.ERROR,
        _name(order),
        field,
        f"eplacila.{code.number}",
        _("{field}: {wrong}", field=field, wrong=wrong),
        _(
            "correct {field}; UJP would refuse it with {code}, {meaning}",
            field=field,
            code=code.number,
            meaning=code.meaning,
        ),
    )


def _too_long(limit: int) -> Message:
    return _("the value is longer than {limit} characters", limit=limit)


def _none_of(allowed: Sequence[str]) -> Message:
    return _("the value is none of {allowed}", allowed=allowed)


def _name(order: Order) -> Message:
    return _("order {order}", order=order.id[:40]) if order.id else _("order (no id)")


def _unreadable(item: Any) -> Finding:
    """Return what pydantic has found wrong with one field."""
    field = " ".join(str(part + 1) if isinstance(part, int) else part for part in item["loc"]) or "order"
    remedy = _("write {field} as the document has it in section 6.5.2", field=field)
    match item["type"]:
        case "value_error":
            wrong = item["ctx"]["error"].args[0]
        case "extra_forbidden":
            wrong = _("there is no such field")
            remedy = _("take {field} out, or correct its name; see section 6.5.2", field=field)
        case "missing":
            wrong = _("the value is missing")
        case _:
            wrong = _("the value does not have the form that the document gives it")
    code = Code.COMMISSION if field.endswith("imaProvizijo") else Code.OTHER
    return Finding(
        Severity.ERROR,
        _("order"),
        field,
        f"eplacila.{code.number}",
        _("{field}: {wrong}", field=field, wrong=wrong),
        remedy,
    )


def _refused(findings: list[Finding], order_id: str) -> ChecksRefused:
    if not order_id:
        what = _("The order was not sent to UJP; nothing left this machine.")
    else:
        what = _("The order {order} was not sent to UJP; nothing left this machine.", order=order_id[:40])
    return ChecksRefused(what, _("correct the order and try again"), findings)
