"""The receiver in a crowd, over real lines: whoever asks at once is answered, whoever else is there."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ajpes_reporting.eplacila import server
from ajpes_reporting.eplacila.server import serving
from ajpes_reporting.logs import Sparing
from ajpes_reporting.network.places import Places
from tests.eplacila.test_receiver import Shop, shop

__all__ = ["shop"]

CROWD = 300
HALF = {
    "silent": b"",
    "half a line": b"POST /notices HT",
    "half a head": b"POST /notices HTTP/1.1\r\nHost: a\r\n",
    "half a body": b"POST /notices HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n{",
    "chunks without end": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
}


async def answer(request: Request) -> Response:
    """Reads all of it, as the receiver does."""
    await request.body()
    return Response()


APP = Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])


@pytest.fixture
def secured(tmp_path: Path) -> tuple[Path, Path, ssl.SSLContext]:
    """A certificate, its key, and a client that trusts it."""
    ca = trustme.CA()
    given = ca.issue_cert("127.0.0.1", "127.0.0.2")
    given.private_key_pem.write_to_path(tmp_path / "key.pem")
    given.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return tmp_path / "cert.pem", tmp_path / "key.pem", context


def post(url: str, own: str = "127.0.0.1", verify: ssl.SSLContext | bool = True) -> int:
    """One notice from this address, asked once."""
    transport = httpx.HTTPTransport(local_address=own, verify=verify, trust_env=False)
    with httpx.Client(transport=transport, timeout=20) as client:
        return client.post(url, content="{}").status_code


def crowd(stack: ExitStack, address: tuple[str, int], data: bytes, count: int = CROWD) -> None:
    for _ in range(count):
        line = stack.enter_context(socket.create_connection(address, timeout=10))
        with suppress(OSError):
            line.sendall(data)


@pytest.mark.parametrize("data", HALF.values(), ids=HALF)
@pytest.mark.parametrize("own", ["127.0.0.1", "127.0.0.2"])
def test_a_crowd_of_half_open_calls_keeps_no_notice_out(data: bytes, own: str) -> None:
    """More of them than there are places; from the same address, as behind a proxy, and from another."""
    with serving(APP, "127.0.0.1:0") as address, ExitStack() as stack:
        crowd(stack, address, data)
        url = f"http://127.0.0.1:{address[1]}/notices"
        assert [post(url, own) for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("own", ["127.0.0.1", "127.0.0.2"])
def test_a_crowd_that_never_shakes_hands_keeps_no_notice_out(
    secured: tuple[Path, Path, ssl.SSLContext], own: str
) -> None:
    """With a certificate of our own; a handshake that never comes takes no more than its place."""
    certificate, key, context = secured
    with serving(APP, "127.0.0.1:0", certificate, key) as address, ExitStack() as stack:
        crowd(stack, address, b"")
        crowd(stack, address, b"\x16\x03\x01\x02")
        url = f"https://127.0.0.1:{address[1]}/notices"
        assert [post(url, own, context) for _ in range(3)] == [200] * 3


def test_new_half_open_calls_without_end_keep_no_notice_out() -> None:
    """Hundreds a second, for as long as the notices come; some send a letter now and then."""
    with serving(APP, "127.0.0.1:0") as address, _attack(address):
        url = f"http://127.0.0.1:{address[1]}/notices"
        for _ in range(10):
            assert post(url, "127.0.0.1") == 200
            assert post(url, "127.0.0.2") == 200


@contextmanager
def _attack(address: tuple[str, int]) -> Iterator[None]:
    ended = threading.Event()

    def attack() -> None:
        lines: list[socket.socket] = []
        while not ended.is_set():
            with suppress(OSError):
                lines.append(socket.create_connection(address, timeout=10))
                lines[-1].sendall(b"POST / HTTP/1.1\r\nX: ")
            for old in lines[:-400]:
                old.close()
            del lines[:-400]
            for line in lines[::20]:
                with suppress(OSError):
                    line.sendall(b"a")
            time.sleep(0.002)
        for line in lines:
            line.close()

    attacker = threading.Thread(target=attack)
    attacker.start()
    try:
        yield
    finally:
        ended.set()
        attacker.join()


def test_a_call_that_is_being_answered_is_not_cut_off_for_others() -> None:
    """UJP may take its time to answer us, while others keep coming."""
    begun, may_end = threading.Event(), threading.Event()

    def slow(_request: Request) -> Response:
        begun.set()
        may_end.wait(30)
        return Response()

    app = Starlette(routes=[Route("/slow", slow, methods=["POST"])])
    found: list[int] = []
    with serving(app, "127.0.0.1:0") as address, ExitStack() as stack:
        url = f"http://127.0.0.1:{address[1]}/slow"
        caller = threading.Thread(target=lambda: found.append(post(url)))
        caller.start()
        assert begun.wait(30)
        crowd(stack, address, b"")
        may_end.set()
        caller.join()
    assert found == [200]


def test_whoever_says_nothing_is_left_in_the_end(
    monkeypatch: pytest.MonkeyPatch, secured: tuple[Path, Path, ssl.SSLContext]
) -> None:
    """Also when nobody else wants the place: before and after a handshake."""
    monkeypatch.setattr(server, "_SILENCE_SECONDS", 1)
    certificate, key, context = secured
    with serving(APP, "127.0.0.1:0", certificate, key) as address:
        with socket.create_connection(address, timeout=30) as line:
            assert line.recv(1) == b""
        with (
            socket.create_connection(address, timeout=30) as line,
            context.wrap_socket(line, server_hostname="127.0.0.1") as secured,
            suppress(ssl.SSLError),
        ):  # it leaves without a word
            assert secured.recv(1) == b""


def test_a_stranger_fills_no_log(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Hundreds of bad requests: the first few, and later how many more there were."""
    with caplog.at_level(logging.INFO):
        with httpx.Client(base_url=f"http://127.0.0.1:{shop.port}", trust_env=False, timeout=30) as client:
            for _ in range(300):
                assert client.post("/", content=b"{}").status_code == 403
        for _ in range(100):
            with socket.create_connection(("127.0.0.1", shop.port), timeout=30) as line:
                line.sendall(b"\x00nonsense\r\n\r\n")
                while line.recv(1000):
                    pass
    ours = [record for record in caplog.records if record.name != "httpx"]
    assert len(ours) < 30


def test_how_many_lines_were_not_written_is_told_in_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """A flood must show, and so must its end; other lines are not touched."""
    log = logging.getLogger("tests.flood")
    sparing = Sparing(log, first=3, seconds=0.2)
    log.addFilter(sparing)
    with caplog.at_level(logging.INFO):
        for number in range(1000):
            log.warning("A notice was not believed: %s.", number)
        log.warning("Something else.")
        for _ in range(600):
            if any("more such lines" in line for line in caplog.messages):
                break
            time.sleep(0.05)
        log.warning("A notice was not believed: %s.", "afterwards")
    log.removeFilter(sparing)
    assert caplog.messages == [
        "A notice was not believed: 0.", "A notice was not believed: 1.", "A notice was not believed: 2.",
        "Something else.", "A notice was not believed: 997 more such lines were not written.",
        "A notice was not believed: afterwards.",
    ]  # fmt: skip


def test_the_address_that_keeps_most_places_waiting_loses_one() -> None:
    """And there the oldest; who is being answered stays, and if all are, the new one goes."""
    places: Places[str] = Places(3)
    assert [places.enter(name, peer) for name, peer in (("a", "1"), ("b", "2"), ("c", "2"))] == [None] * 3
    assert places.enter("d", "3") == "b"
    places.asked("a")
    places.asked("c")
    places.asked("d")
    assert places.enter("e", "1") == "e"
    places.answered("c")
    assert places.enter("f", "1") == "c"
    places.leave("a")
    assert places.enter("g", "9") is None


def test_the_young_stay_for_others_of_their_address() -> None:
    """Where a place is needed only now and then; another address does not wait for that."""
    now = [0.0]
    places: Places[str] = Places(2, patience_seconds=1.0, clock=lambda: now[0])
    assert [places.enter(name, "1") for name in "ab"] == [None, None]
    assert places.enter("c", "1") == "c"
    assert places.enter("d", "2") == "a"
    now[0] = 1.0
    assert places.enter("e", "1") == "b"
