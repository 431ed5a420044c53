"""`eplacila listen` and the shop of the samples, as processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from ajpes_reporting import shipped
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.eplacila import server
from ajpes_reporting.eplacila.server import serving
from ajpes_reporting.network.address import parse_address
from ajpes_reporting.network.tls_context import tls_context
from tests.alarms.conftest import Keys
from tests.eplacila.conftest import API_KEY, SECRET, TRANSACTION, Ujp, as_json
from tests.eplacila.test_commands import workspace
from tests.servers.https import Request

__all__ = ["workspace"]


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is stopped as a supervisor stops it."""
    running = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "AJPES_REPORTING_EPLACILA__LISTEN": "127.0.0.1:0"},
    )  # fmt: skip
    with running:
        try:
            yield running
        finally:
            running.send_signal(signal.SIGTERM)


def test_listening_takes_a_notice_and_writes_no_secret(ujp: Ujp, workspace: Path) -> None:
    """As a service: a line of the log for the change, none with a key."""
    now = _now()
    ujp.answer = lambda _request: as_json(ujp.status(0, auth=ujp.signer.auth(TRANSACTION, time=now)))
    notice = json.dumps(ujp.status(0, auth=ujp.signer.auth(TRANSACTION, time=now)))
    with process("-m", "ajpes_reporting", "eplacila", "listen") as running:
        assert running.stdout and running.stderr
        found = re.search(r"port (\d+)\.", running.stdout.readline())
        assert found, running.stderr.read()
        address = f"http://127.0.0.1:{found[1]}/any/where"
        assert httpx.post(address, content="{}", trust_env=False, timeout=30).status_code == 403
        assert httpx.post(address, content=notice, trust_env=False, timeout=30).status_code == 200
        running.send_signal(signal.SIGTERM)
        said = running.stderr.read()
        assert running.wait(60) == 0
    assert "A notice of UJP was not believed" in said
    assert "A payment is paid." in said
    for hidden in (API_KEY, SECRET, TRANSACTION):
        assert hidden not in said


def test_the_shop_sells_a_ticket(ujp: Ujp, workspace: Path) -> None:
    """Nothing is valid before UJP has said so."""
    shop = str(shipped.sample("eplacila_shop.py"))
    orders: list[str] = []

    def answer(request: Request) -> bytes | None:
        if request.line.startswith("POST"):
            orders.append(json.loads(request.body)["id"])
            return as_json(ujp.started(id=orders[0]))
        return as_json(ujp.status(state[0], id=orders[0], znesek=12.23, auth=_sealed(ujp, state[0])))

    ujp.answer = answer
    state = [3]
    port = free_port()
    payer = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)
    with process(shop, str(workspace), str(port)), payer:
        _await(payer)
        reply = payer.post("/buy", timeout=30)
        assert (reply.status_code, reply.headers["location"][-32:]) == (303, TRANSACTION)
        assert "ni plačana" in payer.get(f"/ticket/{orders[0]}", timeout=30).text
        ujp.answer = lambda _request: as_json({"errorCode": "-99"}, "403 Forbidden")
        assert "ni plačana" in payer.get(f"/ticket/{orders[0]}", timeout=30).text
        ujp.answer = answer
        state[0] = 0
        notice = json.dumps(ujp.status(0, id=orders[0], auth=_sealed(ujp, 0)))
        assert payer.post(f"/notices/{orders[0]}", content=notice, timeout=30).status_code == 200
        asked = len(ujp.requests)
        assert "veljavna" in payer.get(f"/ticket/{orders[0]}", timeout=30).text
        assert len(ujp.requests) == asked
        assert "Ni take" in payer.get("/ticket/made-up", timeout=30).text
    assert len(shipped.sample("eplacila_shop.py").read_text(encoding="utf-8").splitlines()) < 100


def test_nobody_listens_to_the_world_without_a_certificate(ujp: Ujp, keys: object, tmp_path: Path) -> None:
    """UJP calls over https; a wrong certificate is named."""
    with pytest.raises(ConfigurationError, match="listen_certificate"), serving(Starlette(), "0.0.0.0:0"):
        pass
    with (
        pytest.raises(ConfigurationError, match="cannot be read"),
        serving(Starlette(), "0.0.0.0:0", ujp.signer.public),
    ):
        pass
    with (
        serving(Starlette(), "127.0.0.1:0") as (host, port),
        pytest.raises(ConfigurationError, match="cannot listen"),
        serving(Starlette(), f"{host}:{port}"),
    ):
        pass
    with pytest.raises(ConfigurationError, match=r"eplacila\.listen"):
        parse_address("8000", "eplacila.listen")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("in_two", [True, False])
def test_a_certificate_that_windows_saved_is_shown(
    keys: Keys, tmp_path: Path, encoding: str, in_two: bool
) -> None:
    """UJP's notices come over https, whoever put the file there."""
    pem = keys.server.read_text()
    cut = pem.index("-----BEGIN CERTIFICATE")
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    key.write_text(pem[:cut], encoding)
    certificate.write_text(pem[cut:] if in_two else pem, encoding)
    app = Starlette(routes=[Route("/", lambda _request: Response("here"))])
    with (
        serving(app, "127.0.0.1:0", certificate, key if in_two else None) as (_host, port),
        httpx.Client(verify=tls_context(keys.ca, "x"), trust_env=False, timeout=30) as client,
    ):
        assert client.get(f"https://127.0.0.1:{port}/").text == "here"


def test_those_who_never_ask_do_not_keep_ujp_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many connections as there are places: some silent, some with half a question."""
    monkeypatch.setattr(server, "_SILENCE_SECONDS", 1)
    app = Starlette(routes=[Route("/", lambda _request: Response(), methods=["POST"])])
    with serving(app, "127.0.0.1:0") as address, ExitStack() as idle:
        for number in range(64):
            line = idle.enter_context(socket.create_connection(address))
            line.sendall(b"POST / HTTP/1.1\r\nHost:" if number % 2 else b"")
        for _ in range(300):
            found = httpx.post(f"http://127.0.0.1:{address[1]}/", trust_env=False, timeout=30).status_code
            if found == 200:
                return
            time.sleep(0.1)
    pytest.fail("the places were never given back")


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _now() -> str:
    return str(int(datetime.now(UTC).timestamp()))


def _sealed(ujp: Ujp, state: int) -> dict[str, object]:
    return ujp.signer.auth(TRANSACTION, time=str(int(_now()) + (60 if state == 0 else 0)))


def _await(payer: httpx.Client) -> None:
    for _ in range(600):
        try:
            assert "Plačilo" in payer.get("/", timeout=30).text
            return
        except httpx.ConnectError:
            time.sleep(0.1)
    pytest.fail("the shop did not open")
