"""A bad day of the interface, on demand."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.sandbox.eplacila.conftest import KEY, Shop, code
from tests.sandbox.eplacila.test_authentication import is_signed


def test_an_answer_that_is_lost_after_the_payment_was_opened(shop: Shop) -> None:
    """A shop that must not open it again: it is there, under the order's id."""
    shop.simulator.faults.add("api", "drop_answer", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        shop.init(id="A-1")
    assert shop.get(KEY + "/transaction/statusbynarocilo/A-1").json()["status"] == 3


@pytest.mark.parametrize("status", [500, 429])
def test_an_error_in_front(shop: Shop, status: int) -> None:
    """6.3: nothing was done."""
    shop.simulator.faults.add("api", "error", times=1, status=status)
    assert code(shop.init(id="A-1"), status) == "-99"
    assert shop.init(id="A-1").status_code == 200


def test_an_error_after_the_payment_was_opened(shop: Shop) -> None:
    """A 500 does not say that nothing was done."""
    shop.simulator.faults.add("api", "error", times=1, processed=True)
    assert code(shop.init(id="A-1"), 500) == "-99"
    assert shop.get(KEY + "/transaction/statusbynarocilo/A-1").status_code == 200


def test_a_slow_answer(shop: Shop) -> None:
    """A shop that waits less long than the simulator thinks."""
    shop.simulator.faults.add("api", "slow", times=1, seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        shop.get(KEY + "/health", timeout=0.5)


def test_a_wrong_signature(shop: Shop, tmp_path: Path) -> None:
    """Somebody in between."""
    shop.simulator.faults.add("api", "wrong_signature", times=1)
    opened = shop.init().json()
    assert not is_signed(shop.simulator, opened["auth"], opened["transactionId"], tmp_path)
    assert is_signed(
        shop.simulator, shop.status(opened["transactionId"])["auth"], opened["transactionId"], tmp_path
    )


def test_addresses_and_methods_that_there_are_not(shop: Shop) -> None:
    """404 and 405 in the shape of 6.3.2."""
    assert code(shop.get(KEY + "/nothing"), 404) == "10"
    answer = shop.call("PUT", KEY + "/health")
    assert code(answer, 405) == "-99"
    assert "GET" in answer.headers["allow"]
