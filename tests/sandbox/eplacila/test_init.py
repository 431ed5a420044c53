"""Opening a payment (6.5.2): what is taken, and every code of 6.3.4 that refuses it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ajpes_reporting.sandbox.eplacila import SERVICES
from tests.sandbox.eplacila.conftest import INIT, KEY, Shop, code, codes


def item(**changes: Any) -> list[dict[str, Any]]:
    return [{"kolicina": 1, "cena": 1} | changes]


def test_a_payment_is_opened(shop: Shop) -> None:
    """Every shop: the answer leads the customer to the entry page."""
    opened = shop.init(id="706a518cca814d90862f91f270a93684").json()
    transaction = opened["transactionId"]
    assert len(transaction) == 32
    assert (opened["id"], opened["ids"], opened["status"]) == ("706a518cca814d90862f91f270a93684", 143, 3)
    assert opened["responseUrl"] == f"{shop.simulator.url}/vstop/index?idt={transaction}"


def test_both_addresses_open_a_payment(shop: Shop) -> None:
    """3.2 says the one, 6.5.2 the other."""
    for path in (INIT, KEY + "/transaction/init"):
        assert shop.call("POST", path, json=shop.order()).status_code == 200


def test_types_and_case_may_differ(shop: Shop) -> None:
    """A shop written from the table, and one written from the sample."""
    order = {name.upper(): value for name, value in shop.order().items()}
    order |= {
        "IDS": "143",
        "TIPRACUNA": "1",
        "RACUN": 0,
        "ID": 12,
        "POSTAVKA": item(kolicina="2", cena="0.5"),
    }
    assert shop.call("POST", INIT, json=order).json()["id"] == "12"


LONG = "x" * 1001
REFUSED: list[tuple[dict[str, Any], set[tuple[str, str]]]] = [
    ({"id": None}, {("id", "101")}),
    ({"id": "  "}, {("id", "101")}),
    ({"id": "x" * 301}, {("id", "102")}),
    ({"opisPlacila": "x" * 36}, {("opisPlacila", "102")}),
    ({"callbackUrl": f"http://127.0.0.1/{LONG}"}, {("callbackUrl", "102")}),
    ({"successUrl": "127.0.0.1/uspesno"}, {("successUrl", "103")}),
    ({"failureUrl": "javascript:alert(1)"}, {("failureUrl", "103")}),
    ({"callbackUrl": "http://[x"}, {("callbackUrl", "103")}),
    ({"maticna": "5874831"}, {("maticna", "104")}),
    ({"racunDobro": "SI56"}, {("racunDobro", "104")}),
    ({"kupec": {"drzava": "SVN"}}, {("kupec.drzava", "104")}),
    ({"ids": "abc"}, {("ids", "105")}),
    ({"postavka": item(kolicina="veliko")}, {("postavka[0].kolicina", "105")}),
    ({"postavka": item(cena="1,20")}, {("postavka[0].cena", "105")}),
    ({"postavka": item(cena=1e300)}, {("postavka[0].cena", "-99")}),
    ({"tipRacuna": 9}, {("tipRacuna", "105")}),
    ({"isoValuta": "USD"}, {("isoValuta", "201")}),
    ({"maticna": "1111111000"}, {("maticna", "202")}),
    ({"ids": 999}, {("ids", "204")}),
    ({"successUrl": "https://example.com/uspesno"}, {("successUrl", "205")}),
    ({"idn": "GRP_CARDS,PAYPAL"}, {("idn", "207")}),
    ({"languageId": "de"}, {("languageId", "208")}),
    ({"postavka": None}, {("postavka", "209")}),
    ({"postavka": []}, {("postavka", "209")}),
    ({"postavka": item(odstotekDdv=-22)}, {("postavka[0].odstotekDdv", "210")}),
    (
        {"postavka": item(kolicina=-1, cena=-1)},
        {("postavka[0].kolicina", "211"), ("postavka[0].cena", "211")},
    ),
    ({"postavka": item(cena=-1)}, {("postavka[0].cena", "211"), ("postavka", "212")}),
    ({"postavka": item(imaProvizijo=True)}, {("postavka[0].imaProvizijo", "213")}),
    ({"urlpar": {"a": 1}}, {("urlpar", "-99")}),
    ({"urlpar": "\x00"}, {("urlpar", "-99")}),
    ({"id": "", "isoValuta": "USD"}, {("id", "101"), ("isoValuta", "201")}),
]


# Sets have no order: each process of `pytest -n` would call these tests differently.
@pytest.mark.parametrize(("changes", "expected"), REFUSED, ids=lambda value: str(sorted(value))[:50])
def test_what_is_refused(shop: Shop, changes: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    """A shop reads which parameter is wrong, and why."""
    assert codes(shop.init(**changes)) == expected
    assert shop.simulator.store.payments() == []


def test_an_order_is_opened_once(shop: Shop) -> None:
    """206: the same basket must not be paid twice. Another e-service may use the same id."""
    shop.open(id="A-1")
    assert codes(shop.init(id="A-1")) == {("id", "206")}
    other = shop.of(144)
    assert other.init(id="A-1", ids=144, maticna="5860571000").status_code == 200


@pytest.mark.parametrize(("ids", "expected"), [(145, "204"), (146, "203")])
def test_e_services_that_cannot_pay(shop: Shop, ids: int, expected: str) -> None:
    """203, 204: closed, or still in the old flow."""
    other = shop.of(ids)
    assert codes(other.init(ids=ids)) == {("ids", expected)}


def test_registered_addresses_are_beginnings() -> None:
    """205 for another host, port or path (3.1); a registered address without a port stands for any."""
    service = replace(SERVICES[0], urls=("https://shop.si:8443/eplacila", "https://shop.si/pay"))
    for url in ("https://shop.si:8443/eplacila/1?x=1", "https://shop.si/pay", "https://shop.si:1/pay"):
        assert service.has_registered(url), url
    for url in (
        "http://shop.si/pay",
        "https://shop.si.eu/pay",
        "https://shop.si/eplacila",
        "https://shop.si/",
    ):
        assert not service.has_registered(url), url


def test_somebody_elses_name(shop: Shop) -> None:
    """Code 4: ids or number of another e-service."""
    assert code(shop.init(ids=144), 403) == "4"
    assert code(shop.init(maticna="5860571000"), 403) == "4"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"a":' * 100_000, b'{"id": NaN'])
def test_what_is_not_an_object(shop: Shop, body: bytes) -> None:
    """-99, and never an error of ours."""
    assert codes(shop.call("POST", INIT, content=body)) == {("", "-99")}


def test_a_body_without_end(shop: Shop) -> None:
    """Over a megabyte is not an order."""
    assert codes(shop.call("POST", INIT, content=b" " * 1_100_000)) == {("", "102")}


FIELDS = ("ids", "id", "callbackUrl", "opisPlacila", "maticna", "tipRacuna", "racun", "isoValuta", "postavka")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([*FIELDS, "kupec", "idn", "urlpar", "sklicDobro"]), value=JSON)
def test_no_value_breaks_it(shop: Shop, name: str, value: Any) -> None:
    """Whatever stands in a field is taken or refused."""
    order = shop.order() | {name: value}
    answer = shop.call("POST", INIT, content=json.dumps(order).encode())
    assert answer.status_code in (200, 400, 403), answer.text
