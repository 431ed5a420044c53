"""Notices over a real line to the receiver: forged, replayed, truncated, late, out of order."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, Engine, func, select

from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.tables import eplacila_notices
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.eplacila import store
from ajpes_reporting.eplacila.answers import State
from ajpes_reporting.eplacila.errors import (
    AnswerUnusable,
    NotAuthorised,
    NotFound,
    PaymentUnknown,
    RequestRefused,
)
from ajpes_reporting.eplacila.notices import TimeWindow
from ajpes_reporting.eplacila.order import Order
from ajpes_reporting.eplacila.payments import Payments
from ajpes_reporting.eplacila.receiver import receiver
from ajpes_reporting.eplacila.server import serving
from ajpes_reporting.eplacila.store import Change
from tests.eplacila.conftest import IDS, NOW, ORDER_ID, TRANSACTION, Signer, Ujp, as_json, order, verifier
from tests.servers.https import Request

PROVIDER = "5860571000"
AGE, TOLERANCE = timedelta(days=1), timedelta(minutes=5)
LARGEST = 4096
NOT_FOUND = as_json({"errorCode": "10"}, "404 Not Found")


@dataclass
class Shop:
    """A shop with a database, a receiver on loopback, and UJP as `state` has it."""

    ujp: Ujp
    engine: Engine
    port: int = 0
    state: int = 3
    is_away: bool = False
    now: datetime = NOW
    told: int = 0
    changes: list[Change] = field(default_factory=list)
    paid: float = 12.23
    fails: bool = False
    transaction: str = TRANSACTION
    order_id: str = ORDER_ID

    def payments(self) -> Payments:
        client = self.ujp.client(pauses=())
        return Payments(client, self.engine, PROVIDER, lambda: self.now, self.work)

    def work(self, _connection: Connection, change: Change) -> None:
        if self.fails:
            raise UsageError("The shop is out of order.")
        self.changes.append(change)

    def answer(self, request: Request) -> bytes | None:
        """The truth, signed a second later each time."""
        if self.is_away:
            return None
        self.told += 1
        time = str(int(self.now.timestamp()) + self.told)
        paid = {"znesek": self.paid} if self.state == 0 else {"znesek": 0}
        return as_json(self.status(time) | paid)

    def notice(self, nonce: str = "AeVLDoT9nZPN09O", at: datetime = NOW, **more: Any) -> bytes:
        """A notice as UJP would send it now."""
        return json.dumps(self.status(str(int(at.timestamp())), nonce) | more).encode()

    def status(self, time: str, nonce: str = "AeVLDoT9nZPN09O") -> dict[str, Any]:
        """What UJP says of the payment, signed."""
        auth = self.ujp.signer.auth(self.transaction, nonce=nonce, time=time)
        return self.ujp.status(self.state, auth=auth, transactionId=self.transaction, id=self.order_id)

    def send(self, content: bytes) -> int:
        address = f"http://127.0.0.1:{self.port}/orders/123/webhook"
        return httpx.post(address, content=content, trust_env=False, timeout=30).status_code

    def entry(self) -> store.StoredPayment | None:
        with self.engine.connect() as connection:
            return store.by_transaction(connection, PROVIDER, self.transaction)

    def states(self) -> list[State]:
        entry = self.entry()
        assert entry
        with self.engine.connect() as connection:
            return store.states_of(connection, entry)

    def notices(self) -> int:
        with self.engine.connect() as connection:
            column = eplacila_notices.c.transaction_id
            found = connection.scalar(select(func.count(column)).where(column == self.transaction))
        return found or 0


@pytest.fixture
def shop(ujp: Ujp, engine: Engine) -> Iterator[Shop]:
    found = Shop(ujp, engine)
    ujp.answer = found.answer
    app = receiver(found.payments(), verifier(ujp.signer), TimeWindow(AGE, TOLERANCE), LARGEST)
    with serving(app, "127.0.0.1:0") as (_host, found.port):
        yield found


def test_a_notice_is_confirmed_and_stored_before_it_is_answered(shop: Shop) -> None:
    """What UJP answers to the question is stored, on SQLite and on PostgreSQL."""
    shop.state = 0
    assert shop.send(shop.notice()) == 200
    entry = shop.entry()
    assert entry
    assert (entry.state, entry.amount_cents, entry.order_id) == (State.PAID, 1223, ORDER_ID)
    assert [change.makes_it_paid for change in shop.changes] == [True]


@pytest.mark.parametrize(("paid", "counts"), [(12.23, True), (12.22, False), (0.01, False), (12.24, False)])
def test_another_amount_than_was_ordered_is_no_payment_of_it(shop: Shop, paid: float, counts: bool) -> None:
    """Whoever paid a cent for a ticket gets none."""
    payments = shop.payments()
    shop.is_away = True
    with pytest.raises(PaymentUnknown):
        payments.begin(order())
    shop.is_away, shop.state, shop.paid = False, 0, paid
    assert shop.send(shop.notice()) == 200
    (change,) = shop.changes
    assert (change.entry.state, change.makes_it_paid) == (State.PAID, counts)
    assert change.entry.is_of_another_amount is not counts


def test_the_status_in_a_notice_is_nobodys_word(shop: Shop) -> None:
    """The signature does not cover it: a notice about a failure can be turned into one about success."""
    shop.state = 4
    assert shop.send(shop.notice(status=0, znesek=1000)) == 200
    entry = shop.entry()
    assert entry
    assert (entry.state, entry.amount_cents) == (State.FAILED, 0)


def test_a_forged_notice_changes_nothing_and_asks_nothing(shop: Shop, forger: Signer) -> None:
    """Neither does one without a signature, for another transaction, cut off, or no document at all."""
    shop.state = 0
    whole = shop.notice()
    forgeries = [
        shop.notice(auth=forger.auth(TRANSACTION)), shop.notice(auth=None),
        shop.notice(transactionId="f" * 32), shop.notice(transactionId=None),
        shop.notice(TransactionId=TRANSACTION), whole[:-1], whole[: len(whole) // 2],
        b"", b"[]", b"\xff", b"[" * 2000, b'{"a":1e99999999999999999999}', b'{"transactionId":"\\ud800"}',
    ]  # fmt: skip
    assert {shop.send(forgery) for forgery in forgeries} == {403}
    assert (shop.entry(), shop.notices(), shop.ujp.requests) == (None, 0, [])


def test_a_notice_too_long_to_be_one_is_not_read(shop: Shop) -> None:
    """However well it is signed."""
    assert shop.send(shop.notice(opomba="x" * LARGEST)) == 413
    assert shop.notices() == 0


@pytest.mark.parametrize(
    ("at", "status"),
    [
        (NOW - AGE, 200), (NOW - AGE - timedelta(seconds=1), 403),
        (NOW + TOLERANCE, 200), (NOW + TOLERANCE + timedelta(seconds=1), 403),
    ],
)  # fmt: skip
def test_a_notice_has_its_time(shop: Shop, at: datetime, status: int) -> None:
    """To the second, on both sides."""
    assert shop.send(shop.notice(at=at)) == status


@pytest.mark.parametrize(
    ("claimed", "noted"),
    [
        (0, 0), ("6", 6), (3.0, 3), ("²", None), ("\u0663", None), ("\uff13", None), ("+5", None),
        ("1_0", None), (7, None), (-1, None), ("", None), (None, None), (True, None), ([], None),
        ({"status": 0}, None), ("x" * 999, None),
    ],
)  # fmt: skip
def test_whatever_a_notice_claims_it_is_a_reason_to_ask(shop: Shop, claimed: Any, noted: int | None) -> None:
    """The status in it is only noted, and one that is no number keeps nothing from being asked for."""
    shop.state = 0
    assert shop.send(shop.notice(status=claimed)) == 200
    assert shop.states() == [State.PAID]
    with shop.engine.connect() as connection:
        assert connection.scalar(select(eplacila_notices.c.claimed_state)) == noted


def test_a_notice_that_comes_again_is_taken_and_does_nothing(shop: Shop) -> None:
    """UJP is told 200, and is not asked once more: nobody can make us ask by repeating."""
    shop.state = 0
    notice = shop.notice()
    assert [shop.send(notice) for _ in range(3)] == [200, 200, 200]
    assert (len(shop.changes), shop.notices(), len(shop.ujp.requests)) == (1, 1, 1)


def test_the_same_notice_many_times_at_once_is_applied_once(shop: Shop) -> None:
    """Two workers, two machines: the database decides."""
    shop.state = 0
    notice = shop.notice()
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(lambda _: shop.send(notice), range(6))) == {200}
    assert (len(shop.changes), shop.notices(), shop.states()) == (1, 1, [State.PAID])


def test_while_ujp_cannot_be_asked_nothing_is_taken_and_nothing_is_lost(shop: Shop) -> None:
    """UJP gets no 200, and sends it again."""
    shop.state, shop.is_away = 0, True
    notice = shop.notice()
    assert shop.send(notice) == 503
    assert (shop.entry(), shop.notices()) == (None, 0)
    shop.is_away = False
    assert shop.send(notice) == 200
    assert shop.states() == [State.PAID]


def test_a_shop_that_fails_stores_nothing_and_is_asked_again(shop: Shop) -> None:
    """Its own work and the change are one transaction."""
    shop.state, shop.fails = 0, True
    notice = shop.notice()
    assert shop.send(notice) == 503
    assert (shop.entry(), shop.notices()) == (None, 0)
    shop.fails = False
    assert shop.send(notice) == 200
    assert len(shop.changes) == 1


def test_a_notice_that_cannot_be_stored_is_not_taken(shop: Shop) -> None:
    """The database is not as it must be, full or locked: UJP sends the notice again."""
    shop.state = 0
    _rename(shop.engine, "eplacila_notices", "elsewhere")
    assert shop.send(shop.notice()) == 503
    assert shop.entry() is None
    _rename(shop.engine, "elsewhere", "eplacila_notices")
    assert shop.send(shop.notice()) == 200
    assert [change.makes_it_paid for change in shop.changes] == [True]


def _rename(engine: Engine, name: str, other: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {other}")


def test_only_a_post_is_a_notice(shop: Shop) -> None:
    """A payer who comes back to that address proves nothing."""
    address = f"http://127.0.0.1:{shop.port}/"
    assert httpx.get(address, params={"status": "0"}, trust_env=False).status_code == 405
    assert shop.notices() == 0


@pytest.mark.parametrize(
    ("course", "states"),
    [
        ([3, 0], [3, 0]), ([6, 0], [6, 0]), ([6, 6, 0], [6, 0]), ([4, 3, 0], [4, 3, 0]), ([1, 0], [1, 0]),
        ([0, 1], [0]), ([0, 4], [0]), ([0, 6], [0]), ([1, 3], [1]), ([1, 4], [1]), ([2, 0], [2, 0]),
        ([3, 5], [3]),
    ],
)  # fmt: skip
def test_a_final_state_stays_but_what_was_abandoned_may_be_paid(
    shop: Shop, course: list[int], states: list[int]
) -> None:
    """Sections 6.5.3.1 and 3.4.3; the delayed way (QR) waits in 6."""
    payments = shop.payments()
    for state in course:
        shop.state = state
        payments.record(payments.client.status(TRANSACTION))
    assert shop.states() == states
    assert sum(change.makes_it_paid for change in shop.changes) == states.count(0)


def test_an_answer_that_was_overtaken_is_passed_over(shop: Shop) -> None:
    """Two questions at once: the older answer may come to be stored last."""
    payments = shop.payments()
    older = payments.client.status(TRANSACTION)
    shop.state = 6
    payments.record(payments.client.status(TRANSACTION))
    assert payments.record(older) is None
    assert shop.states() == [State.AWAITING_CONFIRMATION]


def test_an_answer_that_changes_nothing_still_overtakes_older_ones(shop: Shop) -> None:
    """Three questions; the one in the middle comes to be stored last."""
    payments = shop.payments()
    payments.record(payments.client.status(TRANSACTION))
    shop.state = 4
    overtaken = payments.client.status(TRANSACTION)
    shop.state = 3
    assert payments.record(payments.client.status(TRANSACTION)) is None
    assert payments.record(overtaken) is None
    assert shop.states() == [State.RUNNING]


def test_a_reversal_is_stored_and_the_payment_stays_paid(shop: Shop) -> None:
    """`znesekStornacij` comes after state 0."""
    shop.state = 0
    payments = shop.payments()
    payments.record(payments.client.status(TRANSACTION))
    shop.ujp.answer = lambda _request: as_json(
        shop.ujp.status(0, znesek=12.23, znesekStornacij="2,23",
                        auth=shop.ujp.signer.auth(TRANSACTION, time=str(int(NOW.timestamp()) + 99)))
    )  # fmt: skip
    change = payments.record(payments.client.status(TRANSACTION))
    assert change
    assert (change.entry.reversed_cents, change.makes_it_paid) == (223, False)
    assert shop.states() == [State.PAID]


STEPS = {3: (0, 1, 2, 4, 6), 4: (0, 1, 3), 2: (0, 1), 6: (0, 1), 1: (0,), 0: ()}


def test_whatever_happens_on_the_way_the_book_tells_the_truth(
    shop: Shop, forger: Signer, dice: random.Random, full: bool
) -> None:
    """Lives of a payment at random; notices forged, repeated, cut, held back and shuffled on the way.

    None is believed that UJP did not sign, none that it signed is lost, none is applied twice.
    """
    for number in range(60 if full else 6):
        shop.transaction, shop.order_id = f"{number:032x}", f"N-{number}"
        shop.changes.clear()
        life = _Life(shop, forger, dice)
        life.live()
        shop.is_away = False
        life.deliver_the_rest()
        entry = shop.entry()
        assert entry and entry.state == shop.state
        states = [int(state) for state in shop.states()]
        assert all(later in _reachable(earlier) for earlier, later in pairwise(states))
        assert sum(change.makes_it_paid for change in shop.changes) == (shop.state == 0)
        assert shop.notices() == len(life.sent)


@dataclass
class _Life:
    """One payment from its beginning to a final state, with all notices of UJP."""

    shop: Shop
    forger: Signer
    dice: random.Random
    sent: list[bytes] = field(default_factory=list)
    waiting: list[bytes] = field(default_factory=list)

    def live(self) -> None:
        self.shop.state = 3
        while steps := STEPS[self.shop.state]:
            if self.shop.state == 1 and self.dice.random() < 0.5:
                break
            self.shop.state = self.dice.choice(steps)
            nonce = "".join(self.dice.choices("abcdefghABCDEFGH0123456789", k=15))
            self.waiting.append(self.shop.notice(nonce))
            self.sent.append(self.waiting[-1])
            self.shop.is_away = self.dice.random() < 0.3
            for _ in range(self.dice.randrange(4)):
                self._disturb()

    def _disturb(self) -> None:
        notice = self.dice.choice(self.sent)
        forged = json.loads(notice)
        forged |= {"status": 0, "auth": self.forger.auth(self.shop.transaction)}
        cut = notice[: self.dice.randrange(len(notice))]
        kind = self.dice.choice(["deliver", "repeat", "forge", "cut"])
        if kind == "deliver" and self.waiting:
            self._deliver(self.waiting.pop(self.dice.randrange(len(self.waiting))))
        elif kind == "repeat":
            assert self.shop.send(notice) in (200, 503)
        elif kind == "forge":
            assert self.shop.send(json.dumps(forged).encode()) == 403
        elif kind == "cut":
            assert self.shop.send(cut) == 403

    def _deliver(self, notice: bytes) -> None:
        """As UJP does: again later, unless the answer is 200."""
        if self.shop.send(notice) != 200:
            self.waiting.append(notice)

    def deliver_the_rest(self) -> None:
        self.dice.shuffle(self.waiting)
        for notice in self.waiting:
            assert self.shop.send(notice) == 200


def _reachable(state: int) -> set[int]:
    found = set(STEPS[state])
    while more := {step for known in found for step in STEPS[known]} - found:
        found |= more
    return found


def test_a_payment_is_in_the_book_before_it_is_at_ujp(shop: Shop) -> None:
    """If we die in between, it is asked for by the order."""
    shop.is_away = True
    payments = shop.payments()
    with pytest.raises(PaymentUnknown):
        payments.begin(order())
    with shop.engine.connect() as connection:
        (entry,) = store.open_payments(connection, PROVIDER)
    assert (entry.order_id, entry.transaction_id, entry.ordered_cents) == (ORDER_ID, None, 1223)
    shop.is_away, shop.state = False, 0
    change = payments.refresh(entry)
    assert change
    assert (change.entry.transaction_id, change.makes_it_paid) == (TRANSACTION, True)


def test_a_payment_that_was_lost_from_sight_is_found_again_by_its_order(shop: Shop) -> None:
    """The same order once more: UJP is asked, and no second payment is begun."""
    shop.is_away = True
    payments = shop.payments()
    with pytest.raises(PaymentUnknown):
        payments.begin(order())
    shop.is_away, shop.state = False, 0
    assert payments.begin(order()).transaction_id == TRANSACTION
    assert sum(request.line.startswith("POST") for request in shop.ujp.requests) == 1
    assert [change.makes_it_paid for change in shop.changes] == [True]
    with pytest.raises(UsageError, match="has begun already"):
        payments.begin(order())


def test_a_payment_that_ujp_refused_leaves_no_trace(shop: Shop) -> None:
    """The order may be corrected and given again."""
    shop.ujp.answer = lambda _request: as_json({"errorCode": "-99"}, "400 Bad Request")
    with pytest.raises(RequestRefused):
        shop.payments().begin(order())
    with shop.engine.connect() as connection:
        assert store.by_order(connection, PROVIDER, ORDER_ID) is None


def test_a_notice_may_overtake_the_answer_to_the_init(shop: Shop) -> None:
    """The payer is quick, the answer slow: what the notice brought is not undone."""
    payments = shop.payments()

    def answer(request: Request) -> bytes | None:
        if request.line.startswith("POST"):
            shop.state = 0
            assert shop.send(shop.notice()) == 200
            return as_json(shop.ujp.started())
        return shop.answer(request)

    shop.ujp.answer = answer
    assert payments.begin(order()).ids == IDS
    assert shop.states() == [State.PAID]
    entry = shop.entry()
    assert entry and entry.pay_url and entry.ordered_cents == 1223


def test_all_that_is_open_is_asked_for_and_one_does_not_hide_another(shop: Shop) -> None:
    """The payment that nobody can tell of comes first; what no notice told is found all the same."""
    payments = shop.payments()
    expect(shop, order(id="unheard-of"))
    shop.state = 6
    payments.record(payments.client.status(TRANSACTION))
    shop.state = 0
    truth = shop.ujp.answer
    for troubled in (NOT_FOUND, as_json({"status": "x"})):
        shop.ujp.answer = lambda request, said=troubled: (
            said if "unheard-of" in request.line else truth(request)
        )
        found = {entry.order_id: error for entry, error in payments.refresh_open()}
        assert isinstance(found.pop("unheard-of"), NotFound | AnswerUnusable)
        assert found in ({ORDER_ID: None}, {})  # the second time it is final
    assert shop.states() == [State.AWAITING_CONFIRMATION, State.PAID]


def test_a_round_asks_for_those_it_has_not_heard_of_longest(shop: Shop) -> None:
    """However many there are, each has its turn."""
    payments = shop.payments()
    payments.record(payments.client.status(TRANSACTION))
    shop.now += timedelta(minutes=1)
    expect(shop, order(id="later"))
    for asked in (ORDER_ID, "later"):
        entry, _error = next(payments.refresh_open())
        assert entry.order_id == asked


def test_what_is_wrong_with_us_is_not_held_against_each_payment(shop: Shop) -> None:
    """With a wrong clock or key nothing more is asked."""
    for name in ("a", "b"):
        expect(shop, order(id=name))
    shop.ujp.answer = lambda _request: as_json({"errorCode": "1"}, "401 Unauthorized")
    with pytest.raises(NotAuthorised):
        list(shop.payments().refresh_open())
    assert len(shop.ujp.requests) == 1


def test_a_payment_that_never_began_is_forgotten_in_the_end(shop: Shop) -> None:
    """A day after it was given to UJP for the last time, if UJP knows nothing of it."""
    payments = shop.payments()
    expect(shop, order())
    shop.ujp.answer = lambda request: NOT_FOUND if request.line.startswith("GET") else None
    shop.now = NOW + timedelta(hours=20)
    with pytest.raises(PaymentUnknown):
        payments.begin(order())
    shop.now = NOW + timedelta(hours=30)
    assert len(list(payments.refresh_open())) == 1
    shop.now = NOW + timedelta(hours=45)
    assert len(list(payments.refresh_open())) == 1
    assert list(payments.refresh_open()) == []


def expect(shop: Shop, wanted: Order) -> None:
    """A payment that is stored, and whose init was lost."""
    with writing(shop.engine) as connection:
        store.add_expected(connection, PROVIDER, wanted, shop.now)
