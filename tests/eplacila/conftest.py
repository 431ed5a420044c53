"""UJP as a small HTTPS server that answers what a test wants; it signs with `openssl`, not with our code."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ajpes_reporting.eplacila.client import Client, ClientOptions
from ajpes_reporting.eplacila.order import Item, Order
from ajpes_reporting.eplacila.signing import Credentials, Verifier, read_public_key
from ajpes_reporting.eplacila.transport import SignedTransport, Timeouts
from ajpes_reporting.network.line import Proxy
from ajpes_reporting.network.tls_context import tls_context
from tests.alarms.conftest import Keys, keys
from tests.servers.https import HttpsServer, Request, Visit, http

__all__ = ["keys"]

API_KEY = "95b88d8ae8ac4ee987be3c28933332af"
SECRET = "eaa68045d0704c2aa14144b7bb81fa18"
IDS = 143
NOW = datetime(2026, 11, 17, 16, 0, tzinfo=UTC)
TRANSACTION = "ce0763526b4f45279efe6c469cb8e294"
ORDER_ID = "4585b54832ef4bae83c1b0a550bc7346"
ROOT = f"/api/v1/{API_KEY}"

Answers = Callable[[Request], bytes | None]


@dataclass(frozen=True)
class Signer:
    """UJP's RSA key, made and used by `openssl`."""

    private: Path
    public: Path

    def signature(self, text: str) -> str:
        done = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self.private], input=text.encode(),
            capture_output=True, check=True,
        )  # fmt: skip
        return base64.b64encode(done.stdout).decode()

    def auth(
        self, transaction: str = "", *, nonce: str = "AeVLDoT9nZPN09O", time: Any = None, key: str = API_KEY
    ) -> dict[str, Any]:
        """The section `auth`, for this transaction."""
        time = str(int(NOW.timestamp())) if time is None else time
        return {
            "nonce": nonce,
            "timestamp": time,
            "signature": self.signature(f"{key}{nonce}{time}{transaction}"),
        }


def _made(folder: Path, name: str) -> Signer:
    if shutil.which("openssl") is None:
        pytest.skip("install openssl")
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    subprocess.run(["openssl", "genrsa", "-out", private, "2048"], check=True, capture_output=True)
    subprocess.run(
        ["openssl", "rsa", "-in", private, "-pubout", "-out", public], check=True, capture_output=True
    )
    return Signer(private, public)


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return _made(tmp_path_factory.mktemp("ujp"), "ujp")


@pytest.fixture(scope="session")
def forger(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """Somebody else, with a key of his own."""
    return _made(tmp_path_factory.mktemp("forger"), "forger")


def credentials() -> Credentials:
    return Credentials(API_KEY, SECRET, IDS)


def verifier(signer: Signer) -> Verifier:
    return Verifier(read_public_key(signer.public.read_bytes()), API_KEY)


@dataclass
class Ujp:
    """UJP on loopback. `answer` gives the bytes of an answer, or None to hang up without one."""

    server: HttpsServer
    signer: Signer
    ca: Path
    answer: Answers
    requests: list[Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return f"https://127.0.0.1:{self.server.port}"

    def client(
        self,
        times: Timeouts | None = None,
        base_url: str | None = None,
        proxy: Proxy | None = None,
        **options: Any,
    ) -> Client:
        url = base_url or self.base_url
        transport = SignedTransport(
            url,
            credentials(),
            tls_context(self.ca, "eplacila.server_ca"),
            lambda: NOW,
            times or Timeouts(20, 20, 60),
            proxy,
        )
        return Client(
            transport, credentials(), verifier(self.signer), url, ClientOptions(**options), self.slept.append
        )

    def paths(self) -> list[str]:
        """What was asked, without what stands before it in each address."""
        return [
            f"{request.line.split()[0]} {request.line.split()[1].removeprefix(ROOT)}"
            for request in self.requests
        ]

    def status(self, state: int = 0, **more: Any) -> dict[str, Any]:
        """An answer about the payment, as the document shows one (section 6.5.3.1)."""
        return {
            "transactionId": TRANSACTION, "ids": IDS, "id": ORDER_ID, "status": state,
            "eid": "wRD5MOLHQPOFOQsTXZ7RS_6BaGzxlGYs", "extId": "XXX5", "davcnaps": "", "znesek": 1,
            "valuta": "EUR", "stevilkaRacuna": "EPS00002526-2024", "casPlacila": "2024-07-22T09:04:17Z",
            "urlPar": "", "znesekStornacij": None, "casZadnjeStornacije": None, "opomba": None,
            "epsid": "104353", "nacinPlacila": "MONETA-S", "auth": self.signer.auth(TRANSACTION),
        } | more  # fmt: skip

    def started(self, **more: Any) -> dict[str, Any]:
        """An answer to an init, as the document shows one (section 6.5.2)."""
        return {
            "transactionId": TRANSACTION, "id": ORDER_ID, "ids": IDS, "status": 3,
            "responseUrl": f"https://localhost:7085/vstop/index?idt={TRANSACTION}",
            "auth": self.signer.auth(TRANSACTION),
        } | more  # fmt: skip

    def visit_send(self, data: bytes) -> None:
        """Sends something at once, before the answer."""
        self.visit.send(data)

    def handle(self, visit: Visit) -> None:
        self.visit = visit
        line, headers = visit.read_head()
        body = b""
        length = int(headers.get("content-length", 0))
        while len(visit._read) < length:
            visit._take()
        body = visit._read[:length]
        request = Request(line, headers, body)
        self.requests.append(request)
        answer = self.answer(request)
        if answer is not None:
            visit.send(answer)


@pytest.fixture
def ujp(keys: Keys, signer: Signer) -> Iterator[Ujp]:
    server = HttpsServer(str(keys.server), None, lambda visit: None)
    found = Ujp(server, signer, keys.ca, lambda _request: as_json({}))
    server.behaviour = found.handle
    with server:
        yield found


def as_json(document: Any, status: str = "200 OK") -> bytes:
    return http(json.dumps(document).encode(), status, "application/json")


def order(**more: Any) -> Order:
    """An order with nothing wrong in it."""
    given: dict[str, Any] = {
        "id": ORDER_ID, "recipient": "5874831000", "success_url": "https://shop.example/ok",
        "failure_url": "https://shop.example/no", "callback_url": "https://shop.example/notice",
        "items": (Item(price_cents=1223, description="Testni artikel 0", vat_percent=22),),
        "description": "Testno plačilo",
    }  # fmt: skip
    return Order(**{**given, **more})
