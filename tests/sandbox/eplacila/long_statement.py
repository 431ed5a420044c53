"""A simulator with many payments, asked for its statements: prints the most memory it took, in bytes."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from ajpes_reporting.sandbox.eplacila import Simulator
from ajpes_reporting.sandbox.eplacila.payments import day_of
from ajpes_reporting.sandbox.eplacila.store import Payment
from tests.sandbox.eplacila.conftest import KEY, REGISTRATION_NUMBER, Clock, Shop
from tests.servers.shop_site import ShopSite


def main(folder: Path, count: int) -> None:
    clock = Clock()
    simulator = Simulator(folder, clock=clock, poll_seconds=None)
    simulator.store.enter(payments(count, clock.epoch))
    asked = f"{REGISTRATION_NUMBER}?datumOd={clock.epoch}&datumDo={clock.epoch}"
    with simulator, httpx.Client(trust_env=False, timeout=600) as client, ShopSite() as site:
        shop = Shop(simulator, clock, client, site)
        for path in (f"{KEY}/izpiski/", f"{KEY}/izpiskidata/xml/"):
            found = _count(shop, path + asked)
            assert found > count * 500, found
    print(_peak())


def _peak() -> int:
    """Of this program alone: `getrusage` begins with what the program that started it had taken."""
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes) * 1024


def _count(shop: Shop, path: str) -> int:
    """The bytes of an answer, thrown away as they come."""
    request = shop.signed("GET", path)
    with shop.client.stream(request.method, request.url, headers=request.headers) as answer:
        assert answer.status_code == 200
        return sum(len(block) for block in answer.iter_bytes())


def payments(count: int, now: int, purpose: str = "Test", buyer: object = None) -> Iterator[Payment]:
    """So many payments of 12.21 EUR, each paid now."""
    item = {"opis": "Testni artikel", "kolicina": "1", "cena": "12.21", "odstotekDdv": "22"}
    item |= dict.fromkeys(("sifraArtikla", "podracun", "konto", "sklicPostavke"))
    details = {"referenca": "", "sklicDobro": "", "opisPlacila": purpose, "postavka": [item], "kupec": buyer}
    for number in range(count):
        yield Payment(
            number=0, transaction_id=f"{number:032x}", ids=143, order_id=f"order-{number}",
            registration_number=REGISTRATION_NUMBER, status=0, day=day_of(now), changed_at=now, opened_at=now,
            paid_at=now, reversed_at=None, amount_cents=1221, reversed_cents=0, way="VISA", ways='["VISA"]',
            urlpar="", success_url="http://127.0.0.1/", failure_url="http://127.0.0.1/",
            callback_url="http://127.0.0.1/", remark=None, eid="e", details=json.dumps(details),
        )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
