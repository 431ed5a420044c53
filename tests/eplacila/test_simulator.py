"""The client and the receiver against the bundled UJP e-plačila, which shares no code with them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ajpes_reporting.eplacila import store
from ajpes_reporting.eplacila.answers import State
from ajpes_reporting.eplacila.client import Client, ClientOptions
from ajpes_reporting.eplacila.codes import Code
from ajpes_reporting.eplacila.errors import (
    AccessDenied,
    NotAuthentic,
    NotAuthorised,
    NotFound,
    RefusedByUjp,
    RequestRefused,
    ServiceFailed,
    TooManyRequests,
    WrongHttpMethod,
    WrongNonce,
    WrongTime,
    refusal,
)
from ajpes_reporting.eplacila.notices import TimeWindow
from ajpes_reporting.eplacila.order import Item, Order, order_document
from ajpes_reporting.eplacila.payments import Payments
from ajpes_reporting.eplacila.periods import epoch
from ajpes_reporting.eplacila.receiver import receiver
from ajpes_reporting.eplacila.server import serving
from ajpes_reporting.eplacila.signing import Credentials, Verifier, read_public_key
from ajpes_reporting.eplacila.statements import payments_in
from ajpes_reporting.eplacila.store import Change, StoredPayment
from ajpes_reporting.eplacila.transport import SignedTransport, Timeouts
from ajpes_reporting.sandbox.eplacila import Rules, Simulator
from ajpes_reporting.sandbox.eplacila.payments import Outcome

NOON = datetime(2026, 11, 17, 12, 0, 0, tzinfo=UTC)
TODAY = date(2026, 11, 17)
RECIPIENT, PROVIDER = "5874831000", "5860571000"


@dataclass
class Street:
    """A shop, the simulator, and the time on both clocks."""

    folder: Path
    engine: Any = None
    now: datetime = NOON
    ours_is_wrong_by: timedelta = timedelta()
    port: int = 9
    changes: list[Change] = field(default_factory=list)
    numbers: int = 0

    def open(self, **rules: Any) -> Simulator:
        self.simulator = Simulator(
            self.folder / "till", clock=lambda: self.now, poll_seconds=None, rules=Rules(**rules)
        )
        return self.simulator

    def clock(self) -> datetime:
        return self.now + self.ours_is_wrong_by

    def credentials(self, ids: int = 143, **more: Any) -> Credentials:
        given = self.simulator.credentials(ids)
        return Credentials(
            **{"api_key": given.api_key, "shared_secret": given.shared_secret, "ids": ids} | more
        )

    def transport(self, credentials: Credentials) -> SignedTransport:
        return SignedTransport(
            self.simulator.url, credentials, ssl.create_default_context(), self.clock, Timeouts(5, 20, 60)
        )

    def verifier(self, credentials: Credentials) -> Verifier:
        return Verifier(read_public_key(self.simulator.public_key.read_bytes()), credentials.api_key)

    def client(self, credentials: Credentials | None = None, **options: Any) -> Client:
        given = credentials or self.credentials()
        return Client(
            self.transport(given),
            given,
            self.verifier(given),
            self.simulator.url,
            ClientOptions(**options),
            lambda _s: None,
        )

    def payments(self) -> Payments:
        def note(_connection: Any, change: Change) -> None:
            self.changes.append(change)

        return Payments(self.client(), self.engine, PROVIDER, self.clock, note)

    def order(self, **more: Any) -> Order:
        self.numbers += 1
        site = f"http://127.0.0.1:{self.port}"
        given = {
            "id": f"order-{self.numbers}", "recipient": RECIPIENT, "success_url": site, "failure_url": site,
            "callback_url": f"{site}/notices", "items": (Item(price_cents=1221, vat_percent=22),),
        }  # fmt: skip
        return Order(**{**given, **more})

    def pay(self, transaction: str, way: str = "VISA", outcome: Outcome = Outcome.PAID) -> None:
        """As on the pages: a way is chosen, and the bank says what became of it."""
        self.now += timedelta(seconds=2)
        assert self.simulator.payments.choose(transaction, way)
        assert self.simulator.payments.report(transaction, outcome)

    def entry(self, transaction: str) -> StoredPayment:
        with self.engine.connect() as connection:
            found = store.by_transaction(connection, PROVIDER, transaction)
        assert found
        return found

    def states(self, transaction: str) -> list[State]:
        with self.engine.connect() as connection:
            return store.states_of(connection, self.entry(transaction))

    def rounds(self, count: int = 3) -> None:
        """The simulator tells what is to be told, and again what was not taken."""
        for _ in range(count):
            self.now += timedelta(seconds=4)
            self.simulator.process_now()


@pytest.fixture
def street(tmp_path: Path, engine: Engine) -> Iterator[Street]:
    found = Street(tmp_path, engine)
    with found.open(repeat_every=4):
        window = TimeWindow(timedelta(days=1), timedelta(minutes=5))
        app = receiver(found.payments(), found.verifier(found.credentials()), window, 65_536)
        with serving(app, "127.0.0.1:0") as (_host, found.port):
            yield found


@pytest.mark.parametrize("init_path", ["/transaction/init", "/transaction/transaction/init"])
def test_a_payment_is_begun_paid_told_of_and_asked_for(
    street: Street, init_path: Any, tmp_path: Path
) -> None:
    """Every method of section 6.5, and the notice of section 6.6, to the cent."""
    client = street.client(init_path=init_path)
    assert client.health().works
    started = Payments(client, street.engine, PROVIDER, street.clock).begin(street.order(parameter="p"))
    transaction = started.transaction_id
    assert started.pay_url == f"{street.simulator.url}/vstop/index?idt={transaction}"
    street.pay(transaction)
    street.rounds(1)
    entry = street.entry(transaction)
    assert (entry.state, entry.amount_cents, entry.method) == (State.PAID, 1221, "VISA")
    assert [change.makes_it_paid for change in street.changes] == [True]
    for status in (client.status(transaction), client.status_of_order(started.order_id)):
        assert (status.state, status.amount_cents, status.parameter) == (State.PAID, 1221, "p")
    assert client.receipt(transaction, "pdf").content.startswith(b"%PDF")
    assert b"<" in client.receipt(transaction, "xml").content
    assert client.health().last_payment_at is not None
    (paid,) = client.payments(RECIPIENT, TODAY, TODAY)
    assert (paid.order_id, paid.amount_cents, paid.is_paid) == (started.order_id, 1221, True)
    for kind, namespace in (("xml", True), ("xml", False), ("json", False)):
        target = tmp_path / f"izpisek.{kind}"
        client.statement_file(kind, target, RECIPIENT, TODAY, TODAY, namespace=namespace)
        (read,) = payments_in(target)
        assert (read.order_id, read.amount_cents, read.eplacila_id) == (
            paid.order_id, paid.amount_cents, paid.eplacila_id
        )  # fmt: skip
        assert read.invoice and paid.invoice and read.invoice.number == paid.invoice.number
        assert read.paid_at == paid.paid_at


@pytest.mark.parametrize("like", ["samples", "tables"])
@pytest.mark.parametrize("numbers", ["number", "string"])
def test_every_way_of_writing_is_read(tmp_path: Path, like: str, numbers: str) -> None:
    """Where the document contradicts itself, whichever side UJP takes."""
    street = Street(tmp_path)
    with street.open(like=like, numbers=numbers, statement_result_of_paid=0, reversals_in_statements=True):
        client = street.client()
        transaction = client.init(street.order()).transaction_id
        street.pay(transaction)
        assert street.simulator.payments.reverse(transaction, 221)
        status = client.status(transaction)
        assert (status.state, status.amount_cents, status.reversed_cents) == (State.PAID, 1221, 221)
        (paid,) = client.payments(RECIPIENT, TODAY, TODAY)
        assert (paid.amount_cents, paid.reversed_cents, paid.is_paid) == (1221, 221, True)


def test_a_delayed_payment_waits_and_is_then_paid(street: Street) -> None:
    """QR: 6 until the administrator has found the money, then 0."""
    payments = street.payments()
    transaction = payments.begin(street.order(methods=("QR koda",))).transaction_id
    assert street.simulator.payments.choose(transaction, "QR koda")
    assert street.simulator.payments.conclude(transaction)
    street.rounds(1)
    assert street.entry(transaction).state is State.AWAITING_CONFIRMATION
    street.now += timedelta(days=3)
    assert street.simulator.payments.confirm(transaction)
    street.rounds(1)
    assert street.states(transaction) == [State.RUNNING, State.AWAITING_CONFIRMATION, State.PAID]
    assert [change.makes_it_paid for change in street.changes] == [False, True]


def test_an_abandoned_payment_may_still_be_paid(street: Street) -> None:
    """Section 3.4.3: the bank speaks after more than ten minutes."""
    transaction = street.payments().begin(street.order()).transaction_id
    assert street.simulator.payments.choose(transaction, "VISA")
    street.now += timedelta(minutes=11)
    street.rounds(1)
    street.now += timedelta(minutes=3)
    street.rounds(1)
    assert street.entry(transaction).state is State.ABANDONED
    assert street.simulator.payments.report(transaction, Outcome.PAID)
    street.rounds(1)
    assert street.states(transaction) == [State.RUNNING, State.ABANDONED, State.PAID]


def test_an_init_whose_answer_is_dropped_makes_one_payment(street: Street) -> None:
    """Stored there, and the line cut: one payment, and we know it."""
    street.simulator.faults.add("api", "drop_answer", times=1)
    started = street.payments().begin(street.order())
    assert [payment.transaction_id for payment in street.simulator.store.payments()] == [
        started.transaction_id
    ]
    assert (
        street.entry(started.transaction_id).pay_url
        == f"{street.simulator.url}/vstop/index?idt={started.transaction_id}"
    )


def test_an_init_that_failed_after_it_was_stored_makes_one_payment(street: Street) -> None:
    """HTTP 500 says nothing about what was done."""
    street.simulator.faults.add("api", "error", times=1, processed=True)
    started = street.payments().begin(street.order())
    assert [payment.transaction_id for payment in street.simulator.store.payments()] == [
        started.transaction_id
    ]


def test_a_wrong_signature_is_not_believed(street: Street) -> None:
    """Of an answer to a question."""
    transaction = street.client().init(street.order()).transaction_id
    street.simulator.faults.add("api", "wrong_signature")
    with pytest.raises(NotAuthentic):
        street.client().status(transaction)


@pytest.mark.parametrize("kind", ["duplicate", "reorder", "wrong_signature", "truncated", "lose"])
def test_whatever_becomes_of_a_notice_the_payment_is_applied_once(street: Street, kind: str) -> None:
    """Told twice, late, forged or in half; one that was lost is found by asking."""
    payments = street.payments()
    transaction = payments.begin(street.order()).transaction_id
    street.simulator.faults.add("webhook", kind, times=1)
    street.pay(transaction, outcome=Outcome.FAILED)
    street.rounds(1)
    street.pay(transaction)
    street.rounds()
    payments.refresh(street.entry(transaction))
    assert street.entry(transaction).state is State.PAID
    assert sum(change.makes_it_paid for change in street.changes) == 1


def refused(street: Street, path: str, document: Any = None, **query: str) -> RefusedByUjp:
    """What UJP says of a request that our own checks would not let go."""
    credentials, body = street.credentials(), BytesIO()
    transport = street.transport(credentials)
    reply = (
        transport.get(path, query, body, 1 << 20)
        if document is None
        else transport.post(path, document, body, 1 << 20)
    )
    assert reply.is_refusal, body.getvalue()
    return refusal(reply.status, body.getvalue(), credentials.api_key)


def test_every_general_code_of_the_till_is_told_apart(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Section 6.3.3, and the HTTP statuses of section 6.3."""
    client = street.client(pauses=())
    stranger = street.client(street.credentials(shared_secret="x"))
    other = street.client(street.credentials(144))
    transaction = client.init(street.order()).transaction_id
    expected: list[tuple[type[RefusedByUjp], Code, Any]] = [
        (NotAuthorised, Code.AUTHORISATION, stranger.health),
        (AccessDenied, Code.FORBIDDEN, lambda: other.status(transaction)),
        (NotFound, Code.NOT_FOUND, lambda: client.status("0" * 32)),
        (NotFound, Code.NOT_FOUND, lambda: client.status_of_order("unknown")),
        (NotFound, Code.NOT_FOUND, lambda: client.receipt(transaction)),
        (RequestRefused, Code.OTHER, lambda: client.status("1")),
    ]  # fmt: skip
    for kind, code, call in expected:
        with pytest.raises(kind) as caught:
            call()
        assert (type(caught.value), caught.value.code) == (kind, code)
        assert caught.value.trace_id
    street.ours_is_wrong_by = timedelta(hours=1)
    with pytest.raises(WrongTime):
        client.health()
    street.ours_is_wrong_by = timedelta()
    monkeypatch.setattr("ajpes_reporting.eplacila.transport.make_nonce", lambda: "abcd1234")
    client.health()
    with pytest.raises(WrongNonce):
        client.health()
    monkeypatch.undo()
    assert type(refused(street, "health", {})) is WrongHttpMethod
    for status, failed in ((500, ServiceFailed), (429, TooManyRequests)):
        street.simulator.faults.add("api", "error", status=status, times=1)
        with pytest.raises(failed):
            client.health()


ITEM = {"kolicina": 1, "cena": 1}
FIELDS: list[tuple[dict[str, Any], set[int]]] = [
    ({"id": ""}, {101}), ({"opisPlacila": "x" * 36}, {102}), ({"failureUrl": "javascript:alert(1)"}, {103}),
    ({"racunDobro": "SI56"}, {104}), ({"tipRacuna": 9}, {105}), ({"isoValuta": "USD"}, {201}),
    ({"maticna": "1111111000"}, {202}), ({"ids": 999}, {204}),
    ({"successUrl": "https://example.com/"}, {205}),
    ({"idn": "PAYPAL"}, {207}), ({"languageId": "de"}, {208}), ({"postavka": []}, {209}),
    ({"postavka": [ITEM | {"odstotekDdv": -1}]}, {210}), ({"postavka": [ITEM | {"cena": -1}]}, {211, 212}),
    ({"postavka": [ITEM | {"imaProvizijo": True}]}, {213}),
]  # fmt: skip


@pytest.mark.parametrize(("change", "numbers"), FIELDS)
def test_every_code_of_an_order_is_told_apart(
    street: Street, change: dict[str, Any], numbers: set[int]
) -> None:
    """Section 6.3.4, which our own checks mostly keep from being sent."""
    document = order_document(street.order(), 143) | change
    error = refused(street, "transaction/transaction/init", document)
    assert isinstance(error, RequestRefused)
    assert {field_error.code for field_error in error.field_errors} == {
        Code(_code(number)) for number in numbers
    }


def _code(number: int) -> Any:
    return next(code for code in Code if code.number == str(number))


DAY = 86_400
PERIODS = [
    ({"datumOd": "danes"}, 106), ({"datumOd": str(epoch(TODAY) + 40 * DAY)}, 301), ({"datumOd": "0"}, 302),
    ({"datumOd": str(epoch(TODAY) - 366 * DAY)}, 303), ({"izbraniStatusi": "9"}, 304),
]  # fmt: skip


@pytest.mark.parametrize(("change", "number"), PERIODS)
def test_every_code_of_a_statement_is_told(street: Street, change: dict[str, str], number: int) -> None:
    """Codes 106 and 301 to 304."""
    query = {"datumOd": str(epoch(TODAY)), "datumDo": str(epoch(TODAY))} | change
    error = refused(street, f"izpiski/{RECIPIENT}", **query)
    assert _code(number) in {field_error.code for field_error in error.field_errors}


def test_the_remaining_codes_are_told_apart(street: Street) -> None:
    """107: no transaction; 206: an order twice; 203: an e-service in the old flow."""
    assert [field_error.code for field_error in refused(street, "transaction/status/1").field_errors] == [
        Code.BAD_TRANSACTION_ID
    ]
    client = street.client()
    order = street.order()
    client.init(order)
    with pytest.raises(RequestRefused) as caught:
        client.init(order)
    assert [field_error.code for field_error in caught.value.field_errors] == [Code.ORDER_USED]
    with pytest.raises(RequestRefused) as caught:
        street.client(street.credentials(146)).init(street.order())
    assert [field_error.code for field_error in caught.value.field_errors] == [Code.OLD_WORKFLOW]
