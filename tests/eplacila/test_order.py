"""An order is read, checked and written as section 6.5.2 says."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ajpes_reporting.domain.errors import ChecksRefused
from ajpes_reporting.eplacila.order import (
    METHODS,
    Buyer,
    Item,
    check_order,
    order_document,
    read_order,
    require_valid,
)
from tests.eplacila.conftest import IDS, order

# The document's own example of a request (section 6.5.2).
EXAMPLE = """
{ "ids": 143,
  "callbackUrl": "https://localhost:7110/EPlacila/PaymentConfirmation",
  "successUrl": "https://localhost:7110/EPlacila/PaymentSuccess?id=4585b54832ef4bae83c1b0a550bc7346",
  "failureUrl": "https://localhost:7110/EPlacila/PaymentFailure?id=4585b54832ef4bae83c1b0a550bc7346",
  "idn": null, "languageId": null,
  "postavka": [{ "odstotekDdv": 22, "opis": "Testni artikel 0", "kolicina": 1, "cena": 1,
    "odstotekDdvSpecified": true, "sifraArtikla": "T0", "podracun": null, "konto": null,
    "sklicPostavke": "1" }],
  "kupec": null, "opisPlacila": "Testno Placilo", "opisDDV": null, "referenca": null,
  "racunDobro": null, "sklicDobro": null, "id": "4585b54832ef4bae83c1b0a550bc7346",
  "racun": "1222", "maticna": "5874831000", "tipRacuna": 1, "isoValuta": "EUR" }
"""


def test_the_example_of_the_document_is_in_order_and_is_written_as_it_was() -> None:
    """What it leaves empty is left out; `tipRacuna` is text by the table and a number by the example."""
    example = json.loads(EXAMPLE)
    found = read_order(example, IDS)
    require_valid(found)
    assert found.total_cents == 100
    expected = {key: value for key, value in example.items() if value is not None} | {"tipRacuna": "1"}
    (item,) = expected["postavka"]
    expected["postavka"] = [{key: value for key, value in item.items() if value is not None}]
    assert order_document(found, IDS) == expected


WRONG: list[tuple[dict[str, Any], int]] = [
    ({"id": "  "}, 101),
    ({"id": ""}, 101), ({"id": "a" * 301}, 102), ({"id": ".."}, -99), ({"id": "a/b"}, -99),
    ({"id": "a\nb"}, -99), ({"recipient": ""}, 101), ({"recipient": "58748"}, 104),
    ({"success_url": ""}, 101), ({"failure_url": "https://x.example/" + "a" * 983}, 102),
    ({"callback_url": "shop"}, 103), ({"callback_url": "http://shop.example/n"}, 103),
    ({"callback_url": "https://shop.example/a b"}, 103), ({"callback_url": "https://[::1/x"}, 103),
    ({"success_url": "javascript:alert(1)"}, 103), ({"currency": "USD"}, 201),
    ({"methods": ("BITCOIN",)}, 207), ({"language": "de"}, 208), ({"items": ()}, 209),
    ({"items": (Item(price_cents=1, vat_percent=-1),)}, 210), ({"items": (Item(price_cents=-1),)}, 211),
    ({"items": (Item(price_cents=1, quantity=-1),)}, 211), ({"description": "a" * 36}, 102),
    ({"items": (Item(price_cents=10**12),)}, 105),
    ({"items": (Item(price_cents=1, quantity="123456789.123456789"),)}, 105),
    ({"items": (Item(price_cents=1, quantity=Decimal("1e-400")),)}, 105),
    ({"items": (Item(price_cents=1, vat_percent="9.50000000000000000001"),)}, 105),
    ({"account_kind": "5"}, 105), ({"credit_account": "SI56 0110 0603 0300 089"}, -99),
    ({"credit_account": "SI56011006030300088"}, -99), ({"credit_reference": "SI12" + "1" * 21}, -99),
    ({"credit_reference": "SI121-2-3-4"}, -99), ({"credit_reference": "121"}, -99),
    ({"buyer": Buyer(country="SVN")}, 104),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code"), WRONG)
def test_what_the_document_forbids_is_found_before_anything_is_sent(
    change: dict[str, Any], code: int
) -> None:
    """Under the code that UJP itself would answer with."""
    assert [finding.rule for finding in check_order(order(**change))] == [f"eplacila.{code}"]


@pytest.mark.parametrize(
    "change",
    [
        {"id": "a" * 300}, {"id": "č š ž?#%"}, {"description": "č" * 35}, {"methods": METHODS},
        {"language": "hu"}, {"callback_url": "http://127.0.0.1:8080/n"}, {"recipient": "5874831"},
        {"success_url": "https://x.example/" + "a" * 982}, {"items": (Item(price_cents=0),)},
        {"credit_account": "SI56191000000123438"}, {"credit_reference": "SI12" + "1" * 18 + "-2-3"},
        {"buyer": Buyer(country="SI")},
    ],
)  # fmt: skip
def test_what_the_document_allows_is_not_found_fault_with(change: dict[str, Any]) -> None:
    """Up to the last allowed character."""
    assert list(check_order(order(**change))) == []


NO_NUMBERS = (
    "²",
    "\u0661\u0662\u0663",
    "\uff15",
    "1_000",
    "+5",
    "NaN",
    "Infinity",
    "1e3",
    "0x10",
    "½",
    "",
    "--1",
    True,
    [1],
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"postavka": [{"cena": 1, "imaProvizijo": True}]}, "eplacila.213"),
        ({"postavka": [{"cena": "1.234"}]}, "euros and cents"),
        ({"postavka": [{"kolicina": 1}]}, "price_cents"),
        ({"izmisljeno": 1}, "izmisljeno: there is no such field"),
        ({"ids": 144}, "not eplacila.ids"),
        ({"postavka": "x"}, "postavka"),
        *(({"postavka": [{"cena": 1, "kolicina": number}]}, "kolicina") for number in NO_NUMBERS),
        *(({"postavka": [{"cena": 1, "odstotekDdv": number}]}, "odstotekDdv") for number in NO_NUMBERS),
        *(({"postavka": [{"cena": number}]}, "postavka 1") for number in NO_NUMBERS),
        *(({"postavka": [{"price_cents": number}]}, "price_cents") for number in NO_NUMBERS),
        ({"opisPlacila": "a\ud800"}, "opisPlacila: half a character"),
    ],
)
def test_an_order_that_cannot_be_read_is_refused_by_field(change: dict[str, Any], said: str) -> None:
    """A slip of the keyboard shows."""
    with pytest.raises(ChecksRefused) as caught:
        read_order(json.loads(EXAMPLE) | change, IDS)
    assert any(said in f"{finding.rule} {finding.message}" for finding in caught.value.findings)


@given(st.integers(0, 10**10), st.decimals(0, 1000, places=3), st.none() | st.decimals(0, 99, places=1))
def test_an_order_comes_back_from_its_json_as_it_was(
    cents: int, quantity: Decimal, vat: Decimal | None
) -> None:
    """No cent is lost on the way through JSON, which knows no decimals."""
    sent = order(items=(Item(price_cents=cents, quantity=quantity, vat_percent=vat, description="x"),))
    text = json.dumps(order_document(sent, IDS))
    assert read_order(json.loads(text, parse_float=Decimal), IDS) == sent


def lines(*pairs: tuple[str, int]) -> tuple[Item, ...]:
    """Lines of an order: quantity and price in cents."""
    return tuple(Item(quantity=Decimal(quantity), price_cents=cents) for quantity, cents in pairs)


@pytest.mark.parametrize(
    ("pairs", "each", "once"),
    [
        ([("0.5", 5), ("0.5", 5)], "0.06", "0.05"),
        ([("0.5", 1), ("0.5", 1)], "0.02", "0.01"),
        ([("0.333", 100), ("0.333", 100), ("0.334", 100)], "0.99", "1.00"),
        ([("0.4", 1)] * 5, "0.00", "0.02"),
        ([("1.255", 100), ("1.255", 100), ("7", 1999)], "142.45", "142.44"),
        ([("0.001", 1)] * 500, "0.00", "0.01"),
    ],
)
def test_an_order_that_may_be_rounded_in_two_ways_is_not_sent(
    pairs: list[tuple[str, int]], each: str, once: str
) -> None:
    """The payer might be asked for another amount, and the shop would not count it as paid."""
    (finding,) = check_order(order(items=lines(*pairs)))
    assert (finding.rule, finding.field) == ("eplacila.rounding", "postavka")
    assert f"{each} EUR" in finding.message
    assert f"{once} EUR" in finding.message
    assert f"postavka 1: {pairs[0][0]} x " in finding.message
    assert "postavka 3: 7 x" not in finding.message  # that line is whole cents
    assert len(finding.message) < 500
    assert "whole cents" in finding.remedy
    with pytest.raises(ChecksRefused, match="nothing left this machine"):
        require_valid(order(items=lines(*pairs)))


@pytest.mark.parametrize(
    "pairs",
    [[("0.5", 5)], [("0.5", 5), ("0.4", 1)], [("1.5", 100), ("0.25", 4)], [("0.333", 100)], [("3", 33)] * 3],
)
def test_an_order_that_costs_the_same_either_way_is_sent(pairs: list[tuple[str, int]]) -> None:
    """Fractions of a cent do no harm where they make no difference."""
    assert list(check_order(order(items=lines(*pairs)))) == []


_CENTS = st.integers(0, 10**9 - 1)
_QUANTITIES = st.decimals(0, 1000, places=3)


@given(st.lists(st.tuples(_QUANTITIES, _CENTS), min_size=1, max_size=12))
def test_what_is_sent_costs_the_same_however_ujp_rounds(pairs: list[tuple[Decimal, int]]) -> None:
    """Reckoned once more with fractions; nothing else is refused."""
    exact = [Fraction(quantity) * cents for quantity, cents in pairs]
    each, once = sum(map(half_up, exact)), half_up(sum(exact, Fraction()))
    found = list(check_order(order(items=tuple(Item(quantity=q, price_cents=c) for q, c in pairs))))
    assert [finding.rule for finding in found] == ([] if each == once else ["eplacila.rounding"])


def half_up(amount: Fraction) -> int:
    """The nearest whole number; a half goes up."""
    return floor(amount + Fraction(1, 2))
