"""Payments of which no notice came are asked for again, and money and state never tell two stories."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ajpes_reporting.domain.errors import LedgerRefused
from ajpes_reporting.eplacila import store
from ajpes_reporting.eplacila.answers import State
from ajpes_reporting.eplacila.payments import Payments
from ajpes_reporting.eplacila.statements import payments_in
from ajpes_reporting.eplacila.store import StoredPayment
from ajpes_reporting.pipeline.context import Context
from ajpes_reporting.pipeline.pull import pull_file, pull_period
from ajpes_reporting.sandbox.eplacila.payments import Outcome
from tests.eplacila.conftest import NOW, ORDER_ID, TRANSACTION, Ujp, as_json
from tests.eplacila.test_commands import call, workspace
from tests.eplacila.test_pull import MILL, context, payment, posted, pull, statement, street
from tests.eplacila.test_receiver import Shop, shop
from tests.eplacila.test_simulator import RECIPIENT, TODAY, Street
from tests.eplacila.test_statements import PAYMENT, STATEMENT, XML
from tests.eplacila.test_unattended import QUARTER, begin, once, state
from tests.servers.https import Request

__all__ = ["call", "context", "shop", "street", "workspace"]

HOUR = timedelta(hours=1)


def tell(shop: Shop, told: int) -> StoredPayment:
    """UJP has this state now, and it is stored; no notice is sent."""
    shop.state = told
    payments = shop.payments()
    payments.record(payments.client.status(TRANSACTION))
    return known(shop)


def known(shop: Shop) -> StoredPayment:
    entry = shop.entry()
    assert entry
    return entry


def test_the_nightly_chore_finds_what_was_paid_after_it_was_abandoned(
    ujp: Ujp, workspace: Path, call: Any, tmp_path: Path
) -> None:
    """Both notices are lost; the bank spoke after more than ten minutes (section 3.4.3)."""
    begin(ujp, call, tmp_path)
    ujp.answer = lambda _request: as_json(ujp.status(1, znesek=0))
    once(workspace, NOW)
    assert state(workspace) is State.ABANDONED
    once(workspace, NOW + QUARTER - timedelta(seconds=1))
    assert len(ujp.requests) == 1
    ujp.answer = lambda _request: as_json(ujp.status(0))
    once(workspace, NOW + QUARTER)
    assert state(workspace) is State.PAID


@pytest.mark.parametrize("arguments", [(), (TRANSACTION,), ("--order", ORDER_ID)])
def test_status_asks_again_for_what_was_abandoned(
    ujp: Ujp, call: Any, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """A person who asks is told what UJP says now."""
    begin(ujp, call, tmp_path)
    ujp.answer = lambda _request: as_json(ujp.status(1, znesek=0))
    (entry,) = json.loads(call("status", *arguments, "--json")[1])
    assert (entry["state"], entry["is_final"]) == (1, False)
    ujp.answer = lambda _request: as_json(ujp.status(0))
    (entry,) = json.loads(call("status", *arguments, "--json")[1])
    assert (entry["state"], entry["is_final"], entry["amount_cents"]) == (0, True, 100)


def test_status_tells_when_ujp_takes_back_what_it_called_paid(ujp: Ujp, call: Any, tmp_path: Path) -> None:
    """State 0 may not change (section 6.5.3.1): it stays stored as paid, and a person is told."""
    begin(ujp, call, tmp_path)
    ujp.answer = lambda _request: as_json(ujp.status(0))
    assert call("status", TRANSACTION)[0] == 0
    ujp.answer = lambda _request: as_json(ujp.status(1, znesek=0))
    (entry,) = json.loads(call("status", TRANSACTION, "--json")[1])
    assert entry["state"] == 0
    assert "UJP says now that it is abandoned" in entry["trouble"]


@pytest.mark.parametrize("before", [1, 2, 3, 4, 6])
def test_find_asks_for_whatever_is_not_paid(shop: Shop, before: int) -> None:
    """The payer comes back to the shop, and no notice has come."""
    tell(shop, before)
    shop.state = 0
    found = shop.payments().find(ORDER_ID)
    assert found
    assert found.state is State.PAID
    asked = len(shop.ujp.requests)
    assert shop.payments().find(ORDER_ID) == found
    assert len(shop.ujp.requests) == asked  # no page of a shop asks for what is paid, but once a day


@pytest.mark.parametrize("course", [(1, 0), (1, 6, 0), (1, 2, 0), (6, 1, 0), (2, 1, 0), (4, 1, 6, 1, 0)])
def test_a_state_that_ujp_changes_is_followed_whatever_it_was(shop: Shop, course: tuple[int, ...]) -> None:
    """Every answer is a second newer; what was given up may have been made, and wait for its confirmation."""
    for told in course:
        assert tell(shop, told).state == told
    assert [int(found) for found in shop.states()] == list(course)


def test_an_abandoned_payment_is_asked_for_less_and_less_and_not_for_ever(shop: Shop) -> None:
    """Sixty days of rounds every two hours; most shops have many that nobody ever pays."""
    tell(shop, 1)
    asked = _hours_of_questions(shop, days=90)
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert 5 <= len(asked) <= 15
    assert pauses == sorted(pauses)
    assert timedelta(days=15) < asked[-1] - NOW < timedelta(days=130)
    assert known(shop).ask_at is None
    shop.state = 0  # later it is a matter of the statement, or of a person
    assert list(shop.payments().refresh_open()) == []
    assert shop.payments().find(ORDER_ID) == known(shop)
    assert known(shop).state is State.PAID


def test_a_payment_that_was_paid_is_asked_for_what_was_reversed(shop: Shop) -> None:
    """UJP tells nobody of a reversal by itself (section 6.1)."""
    tell(shop, 0)
    payments = shop.payments()
    shop.now = NOW + timedelta(hours=23)
    assert list(payments.refresh_open()) == []
    _reverse(shop, "2,23")
    shop.now = NOW + timedelta(hours=25)
    ((entry, error),) = payments.refresh_open()
    assert (entry.state, entry.reversed_cents, error) == (State.PAID, 223, None)
    _reverse(shop, "12,23")
    shop.now += timedelta(days=2)
    found = payments.find(ORDER_ID)
    assert found
    assert (found.reversed_cents, found.ask_at) == (1223, None)  # nothing more can become of it


def test_one_that_ujp_does_not_know_any_more_waits_its_turn(shop: Shop) -> None:
    """An answer that cannot be used puts the next question off as any other does."""
    tell(shop, 1)
    shop.ujp.answer = lambda _request: as_json({"errorCode": "10"}, "404 Not Found")
    shop.now = NOW + HOUR
    assert len(list(shop.payments().refresh_open())) == 1
    assert list(shop.payments().refresh_open()) == []


def _hours_of_questions(shop: Shop, days: int) -> list[Any]:
    """When UJP was asked, with a round every two hours."""
    asked = []
    while shop.now < NOW + timedelta(days=days):
        shop.now += 2 * HOUR
        if list(shop.payments().refresh_open()):
            asked.append(shop.now)
    return asked


def _reverse(shop: Shop, euros: str) -> None:
    auth = shop.ujp.signer.auth(TRANSACTION, time=str(int(NOW.timestamp()) + 999))
    told = shop.ujp.status(0, znesek="12,23", znesekStornacij=euros, auth=auth)
    shop.ujp.answer = lambda _request: as_json(told)


# --- Money and state --------------------------------------------------------------------------------


def abandoned_then_paid(context: Context, street: Street) -> tuple[Payments, str]:
    """A payment that is stored as abandoned; at UJP it is paid meanwhile, and no notice came."""
    payments = Payments(street.client(), context.engine, context.provider, street.clock)
    transaction = payments.begin(street.order()).transaction_id
    assert street.simulator.payments.choose(transaction, "VISA")
    street.now += timedelta(minutes=11)
    street.simulator.payments.abandon_idle()
    payments.record(payments.client.status(transaction))
    assert entry_of(context, transaction).state is State.ABANDONED
    assert street.simulator.payments.report(transaction, Outcome.PAID)
    return payments, transaction


def entry_of(context: Context, transaction: str) -> StoredPayment:
    with context.engine.connect() as connection:
        found = store.by_transaction(connection, context.provider, transaction)
    assert found
    return found


@pytest.mark.parametrize("ask_each", [True, False])
def test_a_pull_that_sees_money_brings_the_store_up_to_it(
    context: Context, street: Street, ask_each: bool
) -> None:
    """The ledger books it, so the shop must not call it abandoned."""
    _payments, transaction = abandoned_then_paid(context, street)
    pull(context, street, ask_each=ask_each)
    assert [cents for _name, _account, _day, cents in posted(context)] == [1221]
    assert entry_of(context, transaction).state is State.PAID


def test_a_pull_stores_reversals(context: Context, street: Street) -> None:
    """What goes back to the payer is booked, and shown."""
    _payments, transaction = abandoned_then_paid(context, street)
    pull(context, street)
    street.now += timedelta(seconds=2)
    assert street.simulator.payments.reverse(transaction, 221)
    pull(context, street)
    assert [cents for _name, _account, _day, cents in posted(context)] == [1221, -221]
    assert entry_of(context, transaction).reversed_cents == 221


@pytest.mark.parametrize("may_ask", [True, False])
def test_a_statement_at_hand_is_compared_with_our_record(
    context: Context, street: Street, tmp_path: Path, may_ask: bool
) -> None:
    """With nobody to ask, nothing is booked of a payment that is stored otherwise."""
    payments, transaction = abandoned_then_paid(context, street)
    order = entry_of(context, transaction).order_id
    file = statement(tmp_path, payment(transaction, 1221) | {"id": order}, payment("b" * 32, 100))
    if may_ask:
        pull_file(context, file, MILL, client=payments.client)
        assert entry_of(context, transaction).state is State.PAID
        assert len(posted(context)) == 2
        return
    with pytest.raises(LedgerRefused) as refused:
        pull_file(context, file, MILL)
    assert "our own record that it is abandoned" in refused.value.findings[0].message
    assert posted(context) == []


def test_what_ujp_itself_denies_is_not_booked_and_not_stored(context: Context, ujp: Ujp) -> None:
    """The statement says paid, the status abandoned: a person must ask there."""
    payments = Payments(ujp.client(), context.engine, context.provider, lambda: NOW)
    told = {"id": PAYMENT["id"], "znesek": 0, "epsid": PAYMENT["idEplacil"]}
    with _answering(ujp, lambda: ujp.status(1, **told)):
        payments.record(ujp.client().status(TRANSACTION))
        for ask_each in (True, False):
            with pytest.raises(LedgerRefused) as refused:
                pull_period(context, ujp.client(), RECIPIENT, TODAY, TODAY, MILL, ask_each=ask_each)
            assert "its status that it is abandoned" in refused.value.findings[0].message
    assert posted(context) == []
    assert entry_of(context, TRANSACTION).state is State.ABANDONED


@contextmanager
def _answering(ujp: Ujp, status: Callable[[], dict[str, Any]], *more: dict[str, Any]) -> Iterator[None]:
    """UJP with a statement of one payment that was paid and `more`, and with this status."""

    def answer(request: Request) -> bytes | None:
        if "/izpiski/" in request.line:
            content = STATEMENT | {"placilo": [PAYMENT, *more]}
            return as_json({"izpisek": content, "auth": ujp.signer.auth()})
        return as_json(status())

    ujp.answer = answer
    yield


PERIOD = ("statement", "--from", "2024-07-01", "--to", "2024-07-31")
WAITING = PAYMENT | {"id": "N-2", "idEplacil": "104354", "rezultat": 6, "znesek": 30, "datumPlacila": None}
GIVEN_UP = PAYMENT | {"id": "N-3", "idEplacil": "104355", "rezultat": 1, "znesek": 5, "datumPlacila": None}
UNHEARD_OF = PAYMENT | {"id": "N-4", "idEplacil": "104356", "rezultat": 9, "znesek": 1}


def test_a_statement_shows_states_and_counts_only_money(ujp: Ujp, call: Any) -> None:
    """What waits for its confirmation, or was given up, has brought nobody a cent."""
    with _answering(ujp, dict, WAITING, GIVEN_UP, UNHEARD_OF, WAITING):
        code, out, _err = call(*PERIOD, "--delayed", "--state", "6")
        found = json.loads(call(*PERIOD, "--delayed", "--state", "6", "--json")[1])
    assert code == 0
    assert "2 payments, 60.00 EUR: waits for its confirmation (QR), not counted" in out
    assert "1 payment, 5.00 EUR: abandoned, not counted" in out
    assert "1 payment, 1.00 EUR: unknown state 9, not counted" in out
    assert "1 paid payment, 12.23 EUR in all" in out
    assert (found["count"], found["total_cents"]) == (5, 1223)
    assert [(one["state"], one["count"], one["amount_cents"]) for one in found["states"]] == [
        (0, 1, 1223), (6, 2, 6000), (1, 1, 500), (None, 1, 100)
    ]  # fmt: skip
    assert [(one["state"], one["meaning"]) for one in found["payments"][:2]] == [
        (0, "paid"), (6, "waits for its confirmation (QR)")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), ("payments by QR code (--delayed)", "not paid")),
        (("--delayed",), ("made at once", "not paid (--state)")),
        (("--delayed", "--state", "0"), ("made at once", "other states")),
    ],
)
def test_a_statement_says_what_it_leaves_out(
    ujp: Ujp, call: Any, tmp_path: Path, options: tuple[str, ...], said: tuple[str, ...]
) -> None:
    """Whoever adds up the table must know what is missing from it; also as JSON."""
    with _answering(ujp, dict):
        out = call(*PERIOD, *options)[1]
        left_out = json.loads(call(*PERIOD, *options, "--json")[1])["left_out"]
    for words in said:
        assert words in out
        assert words in left_out


def test_a_statement_that_names_money_settles_the_state(ujp: Ujp, call: Any) -> None:
    """The answer of UJP is stored; what UJP tells in two ways is told, with exit code 3."""
    told = {"id": PAYMENT["id"], "epsid": PAYMENT["idEplacil"]}
    with _answering(ujp, lambda: ujp.status(1, znesek=0, **told)):
        assert call("status", TRANSACTION)[0] == 0
        code, out, err = call(*PERIOD)
        assert code == 3
        assert "12.23 EUR in all" in out
        assert "payment 104353: the statement says that it is paid, its status that it is" in err
        code, out, _err = call(*PERIOD, "--json")
        assert (code, len(json.loads(out)["findings"])) == (3, 1)
    with _answering(ujp, lambda: ujp.status(0, znesek="12.23", **told)):
        assert call(*PERIOD)[0] == 0
        asked = len(ujp.requests)
        assert call(*PERIOD)[0] == 0
        assert len(ujp.requests) == asked + 1  # the statement alone
        (entry,) = json.loads(call("status", TRANSACTION, "--json")[1])
    assert (entry["state"], entry["amount_cents"]) == (0, 1223)


def test_a_payment_without_a_day_is_read(tmp_path: Path) -> None:
    """What is not paid has none, and in XML no element for it either."""
    root = etree.fromstring(XML.format(ns="").encode())
    place = root.find("placilo")
    assert place is not None
    for name, text in (("rezultat", "6"), ("datumPlacila", None)):
        element = place.find(name)
        assert element is not None
        if text is None:
            place.remove(element)
        else:
            element.text = text
    file = tmp_path / "izpisek.xml"
    file.write_bytes(etree.tostring(root))
    (found,) = payments_in(file)
    assert (found.state, found.paid_at, found.is_paid) == (State.AWAITING_CONFIRMATION, None, False)


def test_a_large_statement_asks_only_for_what_the_book_denies(
    context: Context, street: Street, tmp_path: Path
) -> None:
    """A thousand and one payments, of which one was abandoned."""
    payments, transaction = abandoned_then_paid(context, street)
    others = [payment(f"{number:032x}", 100) | {"id": f"x{number}"} for number in range(1000)]
    order = entry_of(context, transaction).order_id
    file = statement(tmp_path, *others, payment(transaction, 1221) | {"id": order})
    asked: list[str] = []
    truth = payments.client.status_of_order

    def counted(order_id: str) -> Any:
        asked.append(order_id)
        return truth(order_id)

    payments.client.status_of_order = counted  # type: ignore[method-assign]
    assert pull_file(context, file, MILL, client=payments.client).rows_new == 1001
    assert asked == [order]
