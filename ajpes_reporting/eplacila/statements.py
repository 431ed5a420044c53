"""Reads statements of payments (section 6.5.5), from an answer or from a file, apart from the network.

The schema Izpisek.xsd is not part of the document, so XML is read by the names of the JSON fields,
in any case, with a namespace or without, as elements or as attributes. Memory does not grow with
the number of payments.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

import ijson
from pydantic import BeforeValidator, Field, ValidationError

from ajpes_reporting import xmlread
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.eplacila.answers import State
from ajpes_reporting.eplacila.errors import AnswerUnusable
from ajpes_reporting.eplacila.reading import (
    Cents,
    Moment,
    Number,
    ReceivedModel,
    Text,
    read_json,
    with_lowercase_names,
)
from ajpes_reporting.i18n import _
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.jsonread import Guarded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ajpes_reporting.xmlread import Element

StatementKind = Literal["xml", "json"]

PAID = (0, 3)
"""`rezultat` of a payment that was made: 3 by section 6.5.5.1, 0 by section 6.5.3.1."""

_PAYMENTS = re.compile(r"(?:izpisek\.)?placilo", re.IGNORECASE)
_FILE_BEGINS = re.compile(rb'"izpisek"\s*:\s*"', re.IGNORECASE)
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]*")
_ESCAPED = re.compile(rb"\\(?:u00([0-9A-Fa-f]{2})|/)")
_MARK = b"\xef\xbb\xbf"  # of UTF-8
_HEAD_BYTES = 64 * 1024
_BLOCK_BYTES = 256 * 1024
_LONGEST_ESCAPE = 6  # backslash, u, four digits
_LISTS = ("postavka",)
_NOT_READ = (ijson.JSONError, ValueError, ArithmeticError)  # the last for a number beyond all measure


class PaidItem(ReceivedModel):
    """One line of the invoice of a payment."""

    description: Text = Field(default="", alias="opis")
    quantity: Text = Field(default="", alias="kolicina")
    price: Text = Field(default="", alias="cena")
    vat_percent: Text = Field(default="", alias="odstotekddv")
    article: Text = Field(default="", alias="sifraartikla")
    subaccount: Text = Field(default="", alias="podracun")
    ledger_account: Text = Field(default="", alias="konto")
    reference: Text = Field(default="", alias="sklicpostavke")


class Invoice(ReceivedModel):
    """The invoice of a payment; who paid it is left out on purpose."""

    number: Text = Field(default="", alias="stevilkaracuna")
    issued_at: Moment = Field(default=None, alias="datumracuna")
    served_at: Moment = Field(default=None, alias="datumopravljenestoritve")
    items: tuple[PaidItem, ...] = Field(default=(), alias="postavka")


class Payment(ReceivedModel):
    """One payment of a statement; amounts in cents.

    `account` and `reversed_cents` are not among the documented fields; they are taken where they come.
    """

    order_id: Text = Field(default="", alias="id")
    eplacila_id: str = Field(alias="ideplacil", min_length=1)
    service: Text = Field(default="", alias="idstoritve")
    provider: Text = Field(default="", alias="ponudnik")
    document: Text = Field(default="", alias="referenca")
    result: Annotated[int, Number] = Field(alias="rezultat")
    amount_cents: Cents = Field(alias="znesek")
    service_tax_number: Text = Field(default="", alias="davcnastplacilniservis")
    paid_at: Moment = Field(default=None, alias="datumplacila")
    credited_at: Moment = Field(default=None, alias="datumnakazila")
    credit_reference: Text = Field(default="", alias="sklicnakazila")
    method: Text = Field(default="", alias="nacinplacila")
    purpose: Text = Field(default="", alias="namen")
    complaint_number: Text = Field(default="", alias="reklamacijska")
    parameter: Text = Field(default="", alias="urlpar")
    account: Text = Field(default="", alias="racundobro")
    reversed_cents: Cents = Field(default=0, alias="znesekstornacij")
    reversed_at: Moment = Field(default=None, alias="caszadnjestornacije")
    invoice: Annotated[Invoice | None, BeforeValidator(lambda value: value or None)] = Field(
        default=None, alias="racun"
    )

    @property
    def is_paid(self) -> bool:
        return self.result in PAID

    @property
    def state(self) -> State | None:
        """The state as the status would tell it; None for a number that the document does not have."""
        told = State.PAID if self.is_paid else self.result
        return next((state for state in State if state == told), None)


def payments_in(path: Path) -> Iterator[Payment]:
    """Yield the payments of a statement in a file: JSON or XML, by itself or as a whole answer.

    Raises `UsageError`, naming the payment that cannot be read; those before it have been given out.
    """
    try:
        with path.open("rb") as source:
            head = source.read(_HEAD_BYTES)
            source.seek(len(_MARK) if head.startswith(_MARK) else 0)
            if head.removeprefix(_MARK).lstrip().startswith(b"<"):
                yield from payments_in_xml(path)
            else:
                yield from payments_in_json(source)
    except OSError as error:
        raise UsageError(
            _("{path} cannot be read: {reason}.", path=str(path), reason=system_reason(error)),
            _("name a file that is there"),
        ) from None
    except AnswerUnusable as error:
        raise UsageError(
            _("{path} is no statement of UJP: {reason}.", path=str(path), reason=error.reason),
            _("fetch the statement again"),
        ) from None


def payments_in_json(source: BinaryIO) -> Iterator[Payment]:
    """Yield the payments of a JSON statement, by itself or as `izpisek` of an answer.

    Raises `AnswerUnusable`.
    """
    number, begin = 0, source.tell()
    try:
        place = _place_of_payments(source)
        source.seek(begin)
        for document in ijson.items(Guarded(source), f"{place}.item"):
            number += 1
            yield _payment(document, number)
    except _NOT_READ as error:
        raise AnswerUnusable(_("the JSON is not whole after payment {number}", number=number)) from error


def payments_in_xml(path: Path) -> Iterator[Payment]:
    """Yield the payments of an XML statement. Raises `AnswerUnusable`."""
    number = 0
    try:
        if xmlread.read_root(path).local_name.casefold() != "izpisek":
            raise AnswerUnusable(_("the root is not izpisek"))
        for _event, element in xmlread.stream(path, ("end",)):
            if xmlread.local_name(element).casefold() == "placilo":
                number += 1
                yield _payment(_content(element), number)
                xmlread.forget(element)
    except xmlread.UnreadableXml as error:
        raise AnswerUnusable(
            _("the XML is not whole after payment {number} ({reason})", number=number, reason=error.message)
        ) from None


def signature_of_statement(source: BinaryIO) -> dict[str, Any]:
    """Return the section `auth` of an answer with payments, as a document. Raises `AnswerUnusable`."""
    try:
        found = list(ijson.items(Guarded(source), "auth"))
        return {"auth": with_lowercase_names(found[0])} if len(found) == 1 else {}
    except _NOT_READ:
        raise AnswerUnusable(_("the JSON is not whole")) from None


def unpack_file(source: BinaryIO, target: BinaryIO) -> dict[str, Any]:
    """Writes the file that lies as Base64 in an answer (section 6.5.5.2); returns the rest of the answer.

    Raises `AnswerUnusable`.
    """
    head = source.read(_HEAD_BYTES)
    begins = _FILE_BEGINS.search(head)
    if begins is None:
        raise AnswerUnusable(_("there is no statement in it"))
    rest = _decode(head[begins.end() :], source, target)
    try:
        return read_json(head[: begins.end()] + rest)
    except ValueError as error:
        raise AnswerUnusable(_("the JSON is not whole ({reason})", reason=error.args[0])) from None


def _decode(block: bytes, source: BinaryIO, target: BinaryIO) -> bytes:
    """Decode up to the closing quote; return the rest of the answer, from the quote on."""
    kept = b""
    ended = False
    while block and not ended:
        text, quote, after = block.partition(b'"')
        ended = bool(quote)
        cut = len(text) if ended else _before_escape(text)
        kept += _ESCAPED.sub(_unescape, text[:cut])
        whole = len(kept) if ended else len(kept) // 4 * 4
        target.write(_bytes_of(kept[:whole]))
        kept = kept[whole:]
        if ended:
            return b'"' + after + _rest_of(source)
        block = text[cut:] + source.read(_BLOCK_BYTES)
        if block == text[cut:]:
            break
    raise AnswerUnusable(_("the statement in it has no end"))


def _rest_of(source: BinaryIO) -> bytes:
    """Return all that follows the file: a signature, nothing long. One read may give only a part."""
    rest = b""
    while len(rest) < _HEAD_BYTES and (more := source.read(_HEAD_BYTES)):
        rest += more
    return rest


def _before_escape(text: bytes) -> int:
    """Return how much of a block can be decoded by itself: an escape may be cut in two."""
    backslash = text.rfind(b"\\", max(0, len(text) - _LONGEST_ESCAPE + 1))
    return len(text) if backslash < 0 else backslash


def _unescape(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)]) if found[1] else b"/"


def _bytes_of(text: bytes) -> bytes:
    try:
        if _BASE64.fullmatch(text):
            return base64.b64decode(text, validate=True)
    except ValueError:
        pass
    raise AnswerUnusable(_("the statement in it is not Base64"))


def _place_of_payments(source: BinaryIO) -> str:
    """Return the place of the list of payments, in the spelling that the document uses."""
    for place, event, _value in ijson.parse(Guarded(source)):
        if event in ("start_array", "null") and _PAYMENTS.fullmatch(place):
            return str(place)
    raise AnswerUnusable(_("there is no list of payments in it"))


def _payment(document: object, number: int) -> Payment:
    try:
        return Payment.model_validate(with_lowercase_names(document))
    except ValidationError as error:
        fields = sorted({str(item["loc"][0]) for item in error.errors() if item["loc"]})
        raise AnswerUnusable(
            _(
                "in payment {number} these fields are missing or unreadable: {fields}",
                number=number,
                fields=fields,
            )
        ) from None
    except ValueError as error:
        raise AnswerUnusable(
            _("payment {number} cannot be read ({reason})", number=number, reason=error.args[0])
        ) from None


def _content(element: Element) -> dict[str, Any] | str:
    """Return an element as JSON would have it."""
    found: dict[str, Any] = {
        name.rpartition("}")[2].casefold(): value for name, value in xmlread.attributes(element).items()
    }
    for child in element:
        name = xmlread.local_name(child).casefold()
        if name in _LISTS:
            found.setdefault(name, []).append(_content(child))
        elif name in found:
            raise AnswerUnusable(_("{name} comes twice in one payment", name=name))
        else:
            found[name] = _content(child)
    return found or (element.text or "").strip()
