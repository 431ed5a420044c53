"""A running simulator for each test, and a web shop that signs its calls with nothing of ours."""

from __future__ import annotations

import base64
import hashlib
import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ajpes_reporting.sandbox.eplacila import Rules, Simulator
from tests.servers.shop_site import ShopSite

NOON = datetime(2026, 11, 17, 12, 0, 0, 123456, tzinfo=UTC)
KEY = "/api/v1/{key}"
INIT = KEY + "/transaction/transaction/init"
REGISTRATION_NUMBER = "5874831000"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def move(self, **time: float) -> None:
        self.now += timedelta(**time)

    @property
    def epoch(self) -> int:
        return int(self.now.timestamp())


@dataclass
class Shop:
    """An e-service: signs (6.4.1) and calls. `ids` says which one."""

    simulator: Simulator
    clock: Clock
    client: httpx.Client
    site: ShopSite
    ids: int = 143
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def of(self, ids: int) -> Shop:
        """Another e-service at the same simulator."""
        return Shop(self.simulator, self.clock, self.client, self.site, ids, self.numbers)

    def order(self) -> dict[str, Any]:
        """The order of the samples in 6.5.2, with an id of its own."""
        site = self.site.url
        return {
            "ids": 143,
            "id": f"order-{next(self.numbers)}",
            "successUrl": f"{site}/uspesno",
            "failureUrl": f"{site}/neuspesno",
            "callbackUrl": f"{site}/webhook",
            "opisPlacila": "Testno Placilo",
            "maticna": REGISTRATION_NUMBER,
            "tipRacuna": 1,
            "racun": "1222",
            "isoValuta": "EUR",
            "postavka": [{"odstotekDdv": 22, "opis": "Testni artikel 0", "kolicina": 1, "cena": 12.21}],
        }

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.call("GET", path, **more)

    def init(self, **changes: Any) -> httpx.Response:
        """Opens a payment; a value of None leaves the field out."""
        order = self.order() | changes
        order = {name: value for name, value in order.items() if value is not None}
        return self.call("POST", INIT, json=order)

    def open(self, way: str | None = None, **changes: Any) -> str:
        """Opens a payment, perhaps chooses a way, and gives its transaction."""
        answer = self.init(**changes)
        assert answer.status_code == 200, answer.text
        transaction: str = answer.json()["transactionId"]
        if way is not None:
            assert self.simulator.payments.choose(transaction, way)
        return transaction

    def status(self, transaction: str) -> dict[str, Any]:
        answer = self.get(f"{KEY}/transaction/status/{transaction}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        nonce: str | None = None,
        timestamp: object = None,
        password: str | None = None,
        **more: Any,
    ) -> httpx.Response:
        request = self.signed(method, path, key=key, nonce=nonce, timestamp=timestamp, password=password)
        headers = {"Authorization": request.headers["Authorization"]}
        return self.client.request(method, request.url, headers=headers, **more)

    def signed(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        nonce: str | None = None,
        timestamp: object = None,
        password: str | None = None,
    ) -> httpx.Request:
        """A request with its password (6.4.1), right in everything that is not given."""
        given = self.simulator.credentials(self.ids)
        url = self.simulator.url + path.format(key=key or given.api_key)
        nonce = f"nonce{next(self.numbers):07}" if nonce is None else nonce
        timestamp = self.clock.epoch if timestamp is None else timestamp
        username = f"{given.api_key}.{nonce}.{timestamp}"
        text = f"{username}{given.shared_secret}{url}{self.ids}"
        secret = password or hashlib.sha256(text.encode()).hexdigest()
        header = "Basic " + base64.b64encode(f"{username}:{secret}".encode()).decode()
        return httpx.Request(method, url, headers={"Authorization": header})


def codes(answer: httpx.Response) -> set[tuple[str, str]]:
    """Parameter and code of each field error of a validation (6.3.1)."""
    assert answer.status_code == 400, answer.text
    told = answer.json()
    assert told["errorCode"] == "-99"
    assert told["traceId"]
    return {(one["identifier"], one["errorCode"]) for one in told["validationErrors"]}


def code(answer: httpx.Response, status: int) -> str:
    """The code of an error (6.3.2)."""
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert told["statusCode"] == str(status)
    assert told["messages"]
    assert set(told) == {"traceId", "errorId", "source", "errorCode", "statusCode", "messages"}
    found: str = told["errorCode"]
    return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `keys` of a simulator, for it takes a while to make."""
    return Simulator(tmp_path_factory.mktemp("till"), poll_seconds=None).public_key.parent


@pytest.fixture
def make_simulator(tmp_path: Path, clock: Clock, keys: Path) -> Iterator[Callable[..., Simulator]]:
    """Starts simulators that follow given rules; their webhooks are sent only when a test says so."""
    running: list[Simulator] = []

    def make(**rules: Any) -> Simulator:
        shutil.copytree(keys, tmp_path / "till" / "keys", dirs_exist_ok=True)
        simulator = Simulator(tmp_path / "till", clock=clock, poll_seconds=None, rules=Rules(**rules))
        simulator.start()
        running.append(simulator)
        return simulator

    yield make
    for simulator in running:
        simulator.stop()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def site() -> Iterator[ShopSite]:
    with ShopSite() as site:
        yield site


@pytest.fixture
def make_shop(
    make_simulator: Callable[..., Simulator], clock: Clock, client: httpx.Client, site: ShopSite
) -> Callable[..., Shop]:
    """A shop at a simulator that follows given rules."""
    return lambda **rules: Shop(make_simulator(**rules), clock, client, site)


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop()
