"""All methods of UJP e-plačila (section 6.5), signed, checked, and tried again where that is safe.

A question is asked again after a failure. A new payment is not: if the answer to an init is lost,
UJP is asked for the payment of that order, and if nobody can tell, `PaymentUnknown` says so.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Literal

from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.eplacila import periods
from ajpes_reporting.eplacila.answers import (
    Health,
    PaymentStatus,
    StartedPayment,
    State,
    read_answer,
    read_receipt,
)
from ajpes_reporting.eplacila.errors import (
    AnswerUnusable,
    NotAnswered,
    NotFound,
    PaymentUnknown,
    ServiceFailed,
    TooManyRequests,
    refusal,
)
from ajpes_reporting.eplacila.order import order_document, require_valid
from ajpes_reporting.eplacila.reading import read_json
from ajpes_reporting.eplacila.signing import read_signature
from ajpes_reporting.eplacila.statements import payments_in_json, signature_of_statement, unpack_file
from ajpes_reporting.eplacila.transport import Lost, NothingSent, Reply, path_of
from ajpes_reporting.i18n import _
from ajpes_reporting.private import open_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path
    from typing import BinaryIO, TypeVar

    from ajpes_reporting.eplacila.answers import Receipt, ReceiptKind
    from ajpes_reporting.eplacila.order import Order
    from ajpes_reporting.eplacila.signing import Credentials, Signature, Verifier
    from ajpes_reporting.eplacila.statements import Payment, StatementKind
    from ajpes_reporting.eplacila.transport import SignedTransport

    Answer = TypeVar("Answer", PaymentStatus, StartedPayment)

InitPath = Literal["/transaction/init", "/transaction/transaction/init"]

_ENTRY = "vstop/index?idt="
_LARGEST_ANSWER = 1 << 20
_LARGEST_RECEIPT = 64 << 20
_LARGEST_REFUSAL = 1 << 20
_PAUSES = (1.0, 2.0, 4.0)
# A question may be asked once more whatever became of it, anything else only where nothing was done.
_PROVABLY_NOT_DONE = (NothingSent, TooManyRequests)
_ASKED_IN_VAIN = (*_PROVABLY_NOT_DONE, Lost, ServiceFailed)


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Choices where the document leaves something open, or says it in two ways.

    `answers_are_signed`: an answer without a signature is refused; one with a wrong one always is.
    `pauses` are the seconds before each further try. `largest_statement` is in bytes.
    """

    init_path: InitPath = "/transaction/transaction/init"
    answers_are_signed: bool = True
    pauses: Sequence[float] = _PAUSES
    largest_statement: int = 4_000_000_000


class Client:
    """UJP e-plačila for one e-service.

    Every method raises `RefusedByUjp`, `NotAnswered` and `AnswerUnusable`.

    `entry` is where payers are sent, in case the answer that says so is lost: UJP's address.
    """

    def __init__(
        self,
        transport: SignedTransport,
        credentials: Credentials,
        verifier: Verifier,
        entry: str,
        options: ClientOptions | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._verifier = verifier
        self._entry = f"{entry.rstrip('/')}/{_ENTRY}"
        self._options = options or ClientOptions()
        self._sleep = sleep

    def health(self) -> Health:
        """Return whether UJP e-plačila work, and when the e-service was paid last (section 6.5.1)."""
        document = self._document(("health",))
        signature = self._verify(document)
        found = read_answer(Health, document)
        return found.model_copy(update={"told_at": signature.moment if signature else None})

    def init(self, order: Order) -> StartedPayment:
        """Begin a payment (section 6.5.2), once; send the payer to its `pay_url`.

        Raises `ChecksRefused` if the document forbids the order; nothing was sent then. Raises
        `PaymentUnknown` if nobody knows whether UJP holds the payment: ask `status_of_order` later.
        """
        require_valid(order)
        document = order_document(order, self._credentials.ids)
        path = self._options.init_path.removeprefix("/")
        body = BytesIO()
        try:
            self._try(
                lambda: self._transport.post(path, document, _emptied(body), _LARGEST_ANSWER),
                body,
                _PROVABLY_NOT_DONE,
            )
            started = self._told(StartedPayment, _json(body))
            if started.order_id != order.id:
                raise AnswerUnusable(_("the answer is about another order"))
        except (Lost, ServiceFailed, AnswerUnusable) as error:
            return self._settled(order, error)
        return started

    def status(self, transaction_id: str) -> PaymentStatus:
        """Return the status of a payment, by UJP's identifier (section 6.5.3.1)."""
        found = self._told(PaymentStatus, self._document(("transaction", "status", transaction_id)))
        if found.transaction_id != transaction_id:
            raise AnswerUnusable(_("the answer is about another payment"))
        return found

    def status_of_order(self, order_id: str) -> PaymentStatus:
        """Return the status of a payment, by our identifier of the order (section 6.5.3.2)."""
        found = self._told(PaymentStatus, self._document(("transaction", "statusbynarocilo", order_id)))
        if found.order_id != order_id:
            raise AnswerUnusable(_("the answer is about another order"))
        return found

    def receipt(self, transaction_id: str, kind: ReceiptKind = "pdf") -> Receipt:
        """Return the invoice of a paid payment, as a file (section 6.5.4)."""
        document = self._document(("racun", kind, transaction_id), limit=_LARGEST_RECEIPT)
        self._verify(document, transaction_id)
        return read_receipt(kind, document)

    def payments(
        self,
        provider: str,
        first: date,
        last: date,
        states: Sequence[State] = (),
        *,
        delayed: bool = False,
    ) -> Iterator[Payment]:
        """Yield the payments of the days from `first` to `last`, both included (section 6.5.5.1).

        UJP is asked once for each period of at most 365 days; memory does not grow with the number
        of payments. `states` count only with `delayed`, for payments by QR code.
        """
        periods.require_days(first, last)
        return chain.from_iterable(
            self._payments_of_period(provider, begin, end, _choice(states, delayed))
            for begin, end in periods.split(first, last)
        )

    def statement_file(
        self,
        kind: StatementKind,
        target: Path,
        provider: str,
        first: date,
        last: date,
        states: Sequence[State] = (),
        *,
        delayed: bool = False,
        namespace: bool = False,
    ) -> None:
        """Write the statement of at most 365 days as a file (section 6.5.5.2).

        `target` is replaced when all of it is there.

        Raises `UsageError` for more days: `periods.split` divides them.
        """
        periods.require_days(first, last)
        if len(list(periods.split(first, last))) > 1:
            raise UsageError(
                _("A statement covers at most {days} days.", days=periods.LONGEST_DAYS),
                _("ask for several statements"),
            )
        query = _days(first, last) | _choice(states, delayed)
        if kind == "xml":
            query["ns"] = _word(namespace)
        path = path_of("izpiskidata", kind, provider)
        with self._spooled(path, query) as body:
            partial = target.with_name(f".{target.name}.partial")
            try:
                with open_private(partial, "wb") as file:
                    self._verify(unpack_file(body, file))
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)

    def _payments_of_period(
        self, provider: str, first: date, last: date, choice: Mapping[str, str]
    ) -> Iterator[Payment]:
        with self._spooled(path_of("izpiski", provider), {**_days(first, last), **choice}) as body:
            self._verify(signature_of_statement(body))
            body.seek(0)
            yield from payments_in_json(body)

    @contextmanager
    def _spooled(self, path: str, query: Mapping[str, str]) -> Iterator[BinaryIO]:
        """Give a whole answer of any length in a file that is gone afterwards."""
        with TemporaryFile() as body:
            limit = self._options.largest_statement
            self._try(lambda: self._transport.get(path, query, _emptied(body), limit), body, _ASKED_IN_VAIN)
            body.seek(0)
            yield body

    def _document(self, parts: Sequence[str], limit: int = _LARGEST_ANSWER) -> dict[str, Any]:
        body = BytesIO()
        path = path_of(*parts)
        self._try(lambda: self._transport.get(path, {}, _emptied(body), limit), body, _ASKED_IN_VAIN)
        return _json(body)

    def _try(self, call: Callable[[], Reply], body: BinaryIO, again: tuple[type[Exception], ...]) -> None:
        """Make a call, and make it again after each pause, as long as it fails in one of the ways `again`."""
        for pause in self._options.pauses:
            try:
                return self._once(call, body)
            except again:
                self._sleep(pause)
        try:
            return self._once(call, body)
        except again as error:
            if isinstance(error, NothingSent | Lost):
                raise _not_answered(error) from None
            raise

    def _once(self, call: Callable[[], Reply], body: BinaryIO) -> None:
        reply = call()
        if reply.is_refusal:
            body.seek(0)
            raise refusal(reply.status, body.read(_LARGEST_REFUSAL), self._credentials.api_key)
        if not reply.is_success:
            raise AnswerUnusable(
                _("HTTP {status} is none of the answers that the document has", status=reply.status)
            )

    def find_started(self, order_id: str) -> StartedPayment | None:
        """Return the payment that UJP holds for an order, None while there is none. Raises `NotFound`."""
        found = self.status_of_order(order_id)
        if found.state is State.MISSING:
            return None
        return StartedPayment(
            transactionid=found.transaction_id,
            id=found.order_id,
            ids=found.ids,
            status=found.state,
            responseurl=f"{self._entry}{found.transaction_id}",
            told_at=found.told_at,
        )

    def _settled(self, order: Order, lost: Lost | ServiceFailed | AnswerUnusable) -> StartedPayment:
        """Return the payment that UJP holds although its answer was lost (section 6.5.3.2)."""
        for pause in self._options.pauses:
            self._sleep(pause)
            try:
                found = self.find_started(order.id)
            except (NotFound, NotAnswered, ServiceFailed, TooManyRequests, AnswerUnusable):
                continue
            if found is not None:
                return found
        raise PaymentUnknown(
            _(
                "Whether UJP holds the payment of order {order} is not known: {reason}.",
                order=order.id[:40],
                reason=_why(lost),
            ),
            _(
                "ask later by the identifier of the order (`ajpes-reporting eplacila status --order ID`); "
                "do not begin another payment for the same basket before that"
            ),
        )

    def _told(self, kind: type[Answer], document: Mapping[str, Any]) -> Answer:
        """Return an answer about a payment of ours, once its signature is verified."""
        found = read_answer(kind, document)
        signature = self._verify(document, found.transaction_id)
        if found.ids != self._credentials.ids:
            raise AnswerUnusable(_("the answer is about another e-service"))
        return found.model_copy(update={"told_at": signature.moment if signature else None})

    def _verify(self, document: Mapping[str, Any], transaction_id: str = "") -> Signature | None:
        if document.get("auth") is None and not self._options.answers_are_signed:
            return None
        signature = read_signature(document)
        self._verifier.verify(signature, transaction_id)
        return signature


def _emptied(body: BinaryIO) -> BinaryIO:
    """Return the file without the remains of an earlier attempt."""
    body.seek(0)
    body.truncate()
    return body


def _json(body: BytesIO) -> dict[str, Any]:
    try:
        return read_json(body.getvalue())
    except ValueError as error:
        raise AnswerUnusable(error.args[0]) from None


def _not_answered(error: NothingSent | Lost) -> NotAnswered:
    return NotAnswered(
        _("UJP did not answer: {reason}. Nothing was changed there.", reason=error.reason),
        _("check eplacila.base_url and the network of this machine, then try again"),
    )


def _why(error: Lost | ServiceFailed | AnswerUnusable) -> str:
    if isinstance(error, ServiceFailed):
        return _("UJP answered with HTTP {status}", status=error.status)
    return error.reason


def _days(first: date, last: date) -> dict[str, str]:
    return {"datumOd": str(periods.epoch(first)), "datumDo": str(periods.epoch(last))}


def _choice(states: Sequence[State], delayed: bool) -> dict[str, str]:
    chosen = {"izbraniStatusi": ",".join(str(int(state)) for state in states)} if states else {}
    return {**chosen, "zakasnjenaPlacila": _word(delayed)}


def _word(value: bool) -> str:
    return "true" if value else "false"
