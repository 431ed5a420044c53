"""The interface that e-services call (6.5): who calls, what is asked, what is answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from . import receipts
from .answers import failed, invalid
from .codes import ApiError, Code, FieldError, InvalidError, forbidden, not_found
from .order import read_order
from .payments import invoice_number
from .statements import Selection, file_pieces, json_pieces, select
from .store import OrderUsedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from .answers import AnswerWriter
    from .authentication import Authenticator
    from .payments import Payments
    from .rules import Rules
    from .services import Credentials, Register
    from .signing import Signer
    from .store import Payment, Store

_BLOCK_BYTES = 1 << 16
_TRANSACTION_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `url` is whole, as sent; `path` are the named parts of its path."""

    url: str
    authorization: str
    path: dict[str, str]
    query: str = ""
    body: bytes = b""

    @property
    def parameters(self) -> dict[str, str]:
        """Names in lower case: the description writes both `datumod` and `datumOd`."""
        return {name.lower(): value for name, value in parse_qsl(self.query, errors="replace")}


@dataclass(frozen=True, slots=True)
class Reply:
    """A response of the interface, its body in pieces."""

    status: int
    pieces: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a method. A `statement` is the value of `izpisek`, piece by piece."""

    document: dict[str, Any] = field(default_factory=dict)
    transaction_id: str = ""
    statement: Iterator[bytes] | None = None


class Api:
    """Answers calls; knows nothing of HTTP but statuses."""

    def __init__(
        self,
        authenticator: Authenticator,
        register: Register,
        payments: Payments,
        store: Store,
        signer: Signer,
        writer: AnswerWriter,
        rules: Rules,
        clock: Callable[[], datetime],
    ) -> None:
        self._authenticator = authenticator
        self._register = register
        self._payments = payments
        self._store = store
        self._signer = signer
        self._writer = writer
        self._rules = rules
        self._clock = clock

    def answer(
        self, method: Callable[[Call, Credentials], Answer], call: Call, *, wrong_signature: bool
    ) -> Reply:
        """The reply to a call of this method; only a good one is signed (6.4.2)."""
        try:
            credentials = self._authenticator.authenticate(
                call.path["key"], call.authorization, call.url, self._clock()
            )
            self._payments.abandon_idle()
            answer = method(call, credentials)
        except ApiError as error:
            return reply(error.status, failed(error))
        except InvalidError as error:
            return reply(400, invalid(error))
        auth = self._writer.numbers(
            self._signer.auth(
                credentials.api_key, self._clock(), answer.transaction_id, wrong=wrong_signature
            )
        )
        if answer.statement is not None:
            return Reply(200, _blocks(_enclosed(answer.statement, auth)))
        return reply(200, self._writer.numbers(answer.document) | {"auth": auth})

    # --- The methods ---

    def health(self, _call: Call, credentials: Credentials) -> Answer:
        """Says whether the system works, and when the e-service was paid last (section 6.5.1)."""
        paid_at = self._store.last_paid_at(credentials.service.ids)
        return Answer({"status": 0, "zadnjePlacilo": self._writer.moment(paid_at)})

    def init(self, call: Call, credentials: Credentials) -> Answer:
        """Opens a payment for an order (section 6.5.2)."""
        service = credentials.service
        order = read_order(call.body, service, self._register)
        try:
            payment = self._payments.open(order, service.registration_number)
        except OrderUsedError:
            raise InvalidError(FieldError("id", Code.ORDER_USED)) from None
        root = call.url.partition("/api/")[0]
        entry = f"{root}/vstop/index?idt={payment.transaction_id}"
        return Answer(self._writer.opened(payment, entry), payment.transaction_id)

    def status(self, call: Call, credentials: Credentials) -> Answer:
        """Returns the state of a payment (section 6.5.3.1)."""
        return self._told(self._payment(call.path["transaction_id"], credentials))

    def status_of_order(self, call: Call, credentials: Credentials) -> Answer:
        """Returns the state of this e-service's order (section 6.5.3.2); others may have used the id."""
        order_id = call.path["order_id"]
        if len(order_id) > 300:
            raise InvalidError(FieldError("idNarocila", Code.TOO_LONG))
        payment = self._store.payment_of_order(credentials.service.ids, order_id)
        if payment is None:
            raise not_found("idNarocila")
        return self._told(payment)

    def receipt(self, call: Call, credentials: Credentials) -> Answer:
        """Returns the receipt of a payment as a file (section 6.5.4)."""
        write = receipts.WRITERS.get(call.path["kind"].lower())
        if write is None:
            raise not_found("racunTip")
        payment = self._payment(call.path["transaction_id"], credentials)
        number = invoice_number(payment)
        if number is None:
            raise not_found("racun")
        content = receipts.encoded(write(payment, credentials.service))
        return Answer({"stevilkaRacuna": number, "racun": content}, payment.transaction_id)

    def statement(self, call: Call, credentials: Credentials) -> Answer:
        """Returns the payments of a period as JSON (section 6.5.5.1)."""
        selection = self._selection(call, credentials)
        return Answer(statement=json_pieces(self._store, selection, self._writer, self._rules))

    def statement_file(self, call: Call, credentials: Credentials) -> Answer:
        """Returns the payments of a period as a file (section 6.5.5.2)."""
        kind = call.path["kind"].lower()
        if kind not in ("xml", "json"):
            raise not_found("izpisekType")
        selection = self._selection(call, credentials)
        with_namespace = call.parameters.get("ns", "").lower() == "true"
        pieces = file_pieces(kind, self._store, selection, self._writer, self._rules, with_namespace)
        return Answer(statement=pieces)

    def _told(self, payment: Payment) -> Answer:
        return Answer(self._writer.status(payment), payment.transaction_id)

    def _payment(self, transaction_id: str, credentials: Credentials) -> Payment:
        if not _TRANSACTION_ID.fullmatch(transaction_id):
            raise InvalidError(FieldError("transactionId", Code.TRANSACTION_ID))
        payment = self._store.payment(transaction_id)
        if payment is None:
            raise not_found("transactionId")
        if payment.ids != credentials.service.ids:
            raise forbidden("transactionId")
        return payment

    def _selection(self, call: Call, credentials: Credentials) -> Selection:
        number = call.path["registration_number"]
        return select(
            number, call.parameters, credentials.service, self._register, self._rules, self._clock()
        )


def reply(status: int, document: dict[str, Any]) -> Reply:
    """Returns a response with a JSON document as its body."""
    return Reply(status, iter([json.dumps(document, ensure_ascii=False).encode()]))


def _blocks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join pieces into blocks worth a packet: each one costs the server a change of threads."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= _BLOCK_BYTES:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def _enclosed(statement: Iterator[bytes], auth: dict[str, Any]) -> Iterator[bytes]:
    yield b'{"izpisek":'
    yield from statement
    yield b',"auth":' + json.dumps(auth).encode() + b"}"
