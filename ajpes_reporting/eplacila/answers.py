"""The answers of UJP (sections 6.5.1 to 6.5.4), as types."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from ajpes_reporting.eplacila.errors import AnswerUnusable
from ajpes_reporting.eplacila.reading import Cents, Moment, Number, ReceivedModel, Text
from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Mapping

ReceiptKind = Literal["pdf", "xml"]

_BEGINNINGS: dict[ReceiptKind, tuple[bytes, ...]] = {"pdf": (b"%PDF-",), "xml": (b"<", b"\xef\xbb\xbf<")}


class State(IntEnum):
    """The state of a payment (section 6.5.3.1)."""

    PAID = 0
    ABANDONED = 1
    DISPUTED = 2
    RUNNING = 3
    FAILED = 4
    MISSING = 5
    AWAITING_CONFIRMATION = 6

    @property
    def label(self) -> Message:
        """The state in words, for a clerk."""
        return _LABELS[self]

    @property
    def is_final(self) -> bool:
        """Whether the state stays for good: an abandoned payment may turn out to be paid (section 3.4.3)."""
        return self is State.PAID

    @property
    def is_over(self) -> bool:
        """Whether no payer can go on with it (sections 3.4.3 and 6.5.3.1)."""
        return self in (State.PAID, State.ABANDONED)


_LABELS = {
    State.PAID: _("paid"),
    State.ABANDONED: _("abandoned"),
    State.DISPUTED: _("done, but its confirmation is not right"),
    State.RUNNING: _("under way"),
    State.FAILED: _("failed, may be tried again"),
    State.MISSING: _("does not exist yet"),
    State.AWAITING_CONFIRMATION: _("waits for its confirmation (QR)"),
}


class Health(ReceivedModel):
    """Whether UJP e-plačila work, when the e-service was paid last, and when UJP signed that."""

    status: Annotated[int, Number]
    last_payment_at: Moment = Field(default=None, alias="zadnjeplacilo")
    told_at: Moment = None

    @property
    def works(self) -> bool:
        return self.status == 0


class StartedPayment(ReceivedModel):
    """A payment that UJP holds: send the payer to `pay_url`."""

    transaction_id: str = Field(alias="transactionid", min_length=1, max_length=100)
    order_id: str = Field(alias="id", max_length=300)
    ids: Annotated[int, Number]
    state: Annotated[State, Number] = Field(alias="status")
    pay_url: str = Field(alias="responseurl", min_length=1)
    told_at: Moment = None


class PaymentStatus(ReceivedModel):
    """The status of a payment (section 6.5.3.1); amounts in cents.

    `told_at` is when UJP signed it, None if it did not.
    """

    transaction_id: str = Field(alias="transactionid", min_length=1, max_length=100)
    order_id: str = Field(alias="id", max_length=300)
    ids: Annotated[int, Number]
    state: Annotated[State, Number] = Field(alias="status")
    amount_cents: Cents = Field(default=0, alias="znesek")
    currency: Text = Field(default="", alias="valuta")
    paid_at: Moment = Field(default=None, alias="casplacila")
    method: Text = Field(default="", alias="nacinplacila")
    reversed_cents: Cents = Field(default=0, alias="znesekstornacij")
    reversed_at: Moment = Field(default=None, alias="caszadnjestornacije")
    receipt_number: Text = Field(default="", alias="stevilkaracuna")
    note: Text = Field(default="", alias="opomba")
    parameter: Text = Field(default="", alias="urlpar")
    receipt_key: Text = Field(default="", alias="eid", repr=False)
    external_id: Text = Field(default="", alias="extid")
    service_tax_number: Text = Field(default="", alias="davcnaps")
    eplacila_number: Text = Field(default="", alias="epsid")
    told_at: Moment = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """An invoice as a file."""

    number: str
    kind: ReceiptKind
    content: bytes


Answer = TypeVar("Answer", bound=ReceivedModel)


def read_answer(kind: type[Answer], document: Mapping[str, Any]) -> Answer:
    """Return an answer from a document whose names are in lower case.

    Raises `AnswerUnusable`, naming fields and never what stands in them.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        fields = sorted({str(item["loc"][0]) for item in error.errors() if item["loc"]})
        raise AnswerUnusable(
            _("these of its fields are missing or unreadable: {fields}", fields=fields)
        ) from None


def read_receipt(kind: ReceiptKind, document: Mapping[str, Any]) -> Receipt:
    """Return a receipt from its answer. Raises `AnswerUnusable` if there is no such file in it."""
    try:
        content = base64.b64decode(str(document.get("racun") or ""), validate=True)
    except ValueError:
        raise AnswerUnusable(_("the receipt in it is not Base64")) from None
    if not content.lstrip().startswith(_BEGINNINGS[kind]):
        raise AnswerUnusable(_("the receipt in it is no {kind} file", kind=kind.upper()))
    return Receipt(str(document.get("stevilkaracuna") or ""), kind, content)
