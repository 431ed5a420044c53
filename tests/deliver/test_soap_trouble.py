"""SOAP delivery when things go wrong: what is claimed must be true.

Unreachable is claimed only where the authority cannot have the report, Unknown wherever it may.
"""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from ajpes_reporting.domain.errors import NotDelivered
from ajpes_reporting.domain.outcomes import Delivered, Refused, Unknown, Unreachable
from ajpes_reporting.domain.ports import Parcel
from tests.deliver.conftest import (
    ANSWER,
    REPORT,
    Keys,
    MakeCarrier,
    MakeParcel,
    MakeServer,
    soap,
    soap_answer,
)
from tests.servers.cutting_proxy import CuttingProxy
from tests.servers.https import Visit, answering, http

LARGE = REPORT.replace(b"</Nodurs>", b"<!--" + b"x" * 20_000_000 + b"--></Nodurs>")
HTML = b"<!DOCTYPE html><html><body>Storitev ni na voljo</body></html>"


def fault(code: str, text: str = "ni pravic") -> bytes:
    return soap(
        f"<soap:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring></soap:Fault>".encode()
    )


# --- Nothing can have arrived ---


def test_a_refused_connection_is_unreachable(make_carrier: MakeCarrier, parcel: Parcel) -> None:
    """The other way may be tried at once."""
    outcome = make_carrier(_closed_port()).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "refuses connections" in outcome.reason


def test_an_unknown_name_is_unreachable(make_carrier: MakeCarrier, parcel: Parcel) -> None:
    """A mistyped host is told from a host that is down."""
    outcome = make_carrier(443, host="ajpes.invalid").deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "name cannot be resolved" in outcome.reason


def test_a_server_that_never_shakes_hands_is_unreachable(make_carrier: MakeCarrier, parcel: Parcel) -> None:
    """A hung server does not hold the run, and opens the other way."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = make_carrier(silent.getsockname()[1], connect_timeout_seconds=0.5).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "did not answer in time" in outcome.reason


def test_a_dripping_handshake_is_cut(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """Limits on single reads do not bound a handshake that drips."""
    with CuttingProxy(make_server().port, cut_after_received=100, silent=True) as proxy:
        carrier = make_carrier(proxy.port, connect_timeout_seconds=60, call_timeout_seconds=0.5)
        started = time.monotonic()
        outcome = carrier.deliver(parcel)
    assert time.monotonic() - started < 5
    assert isinstance(outcome, Unreachable)
    assert "in time" in outcome.reason


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        ("expired_server", "certificate has expired"),
        ("foreign_server", "issued by somebody we do not trust"),
        ("other_host_server", "for another host name"),
    ],
)
def test_a_server_certificate_that_does_not_hold_is_unreachable(
    make_server: MakeServer,
    make_carrier: MakeCarrier,
    parcel: Parcel,
    keys: Keys,
    certificate: str,
    words: str,
) -> None:
    """Nobody else gets the report, and the operator learns what is wrong with the certificate."""
    server = make_server(certificate=getattr(keys, certificate))
    outcome = make_carrier(server.port).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert words in outcome.reason
    assert server.requests == []


@pytest.mark.parametrize("content", [REPORT, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("client", "words"),
    [("foreign_client", "does not trust the issuer"), ("expired_client", "client certificate has expired")],
)
def test_a_refused_client_certificate_is_unreachable(
    make_server: MakeServer,
    make_carrier: MakeCarrier,
    make_parcel: MakeParcel,
    keys: Keys,
    client: str,
    words: str,
    version: ssl.TLSVersion,
    content: bytes,
) -> None:
    """With TLS 1.3 the refusal arrives when we are writing already; still nothing was taken."""
    server = make_server()
    server.context.maximum_version = version
    parcel = make_parcel(content)
    carrier = make_carrier(server.port, client=getattr(keys, client))
    outcome = carrier.deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert words in outcome.reason
    assert server.requests == []
    with pytest.raises(NotDelivered, match=words):
        carrier.inspect()


@pytest.mark.parametrize("status", [401, 403, 404, 405, 411, 413, 415])
@pytest.mark.parametrize("body", [b"", HTML], ids=["empty", "html"])
def test_a_status_that_turns_the_message_away_is_unreachable(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel, status: int, body: bytes
) -> None:
    """The server itself says that it did not take the message; the other way is open."""
    outcome = make_carrier(make_server(answering(http(body, f"{status} No"))).port).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert f"HTTP {status}" in outcome.reason
    assert outcome.remedy


def test_a_report_turned_away_before_it_was_read_is_unreachable(
    make_server: MakeServer, make_carrier: MakeCarrier, make_parcel: MakeParcel
) -> None:
    """IIS answers 413 to a large message without reading it."""

    def behave(visit: Visit) -> None:
        visit.read_head()
        visit.send(http(b"", "413 Too Large"))
        while visit._line.recv(1 << 20):  # as servers do, lest the answer be lost with the line
            pass

    outcome = make_carrier(make_server(behave).port).deliver(make_parcel(LARGE))
    assert isinstance(outcome, Unreachable)
    assert "size" in outcome.reason


def test_a_server_that_hangs_up_on_a_large_report_is_never_taken_for_delivered(
    make_server: MakeServer, make_carrier: MakeCarrier, make_parcel: MakeParcel
) -> None:
    """Its answer may be lost with the line; then the outcome is unknown, which is the truth."""

    def behave(visit: Visit) -> None:
        visit.read_head()
        visit.send(http(b"", "413 Too Large"))

    outcome = make_carrier(make_server(behave).port).deliver(make_parcel(LARGE))
    assert isinstance(outcome, Unreachable | Unknown)


def test_a_server_that_hangs_up_after_the_handshake_is_unreachable(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """Some servers refuse a certificate without a word; as long as we have said nothing, that is proof."""
    server = make_server(lambda _visit: None)
    server.context.num_tickets = 0
    outcome = make_carrier(server.port).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "hung up after the handshake" in outcome.reason


def test_a_server_without_session_tickets_is_served(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """Waiting for an objection does not keep us from sending when there is none."""
    server = make_server()
    server.context.num_tickets = 0
    assert isinstance(make_carrier(server.port).deliver(parcel), Delivered)


def test_bad_request_is_unreachable_unless_the_service_speaks(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """A 400 from the web server is not a refusal by the authority, a fault in it is."""
    outcome = make_carrier(make_server(answering(http(HTML, "400 Bad Request"))).port).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    reply = http(fault("soap:Client"), "400 Bad Request")
    assert isinstance(make_carrier(make_server(answering(reply)).port).deliver(parcel), Refused)


# --- The authority may have it ---


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (http(HTML), "web page"),
        (http(HTML, "502 Bad Gateway"), "web page"),
        (http(b"<html><body>Prijava</body></html>"), "web page"),
        (http(b""), "empty"),
        (http(b"", "202 Accepted"), "empty"),
        (http(b"", "500 Internal Server Error"), "HTTP 500"),
        (http(b"", "503 Service Unavailable"), "HTTP 503"),
        (http(b"OK", content_type="text/plain"), "not XML"),
        (http(soap_answer()[:-20]), "breaks off"),
        (http(soap_answer()[:200]), "breaks off"),
        (http(soap(b"<BlokPodOddajResponse/>")), "no BlokOdgovor"),
        (http(soap_answer(b"<BlokOdgovor/>")), "BlokOdgovor is empty"),
        (http(soap_answer(b"Sprejeto")), "no BlokOdgovor"),
        (http(soap_answer(ANSWER * 2)), "more than one"),
        (http(b"<Odgovor/>"), "neither a SOAP envelope nor an answer"),
        (http(b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + soap_answer()[38:]), "DOCTYPE"),
        (http(soap_answer().decode().encode("cp037"), content_type="text/xml"), "not XML"),
        (http(fault("soap:Server", "deadlock")), "deadlock"),
        (http(fault("soap:Server", "deadlock"), "500 Internal Server Error"), "deadlock"),
        (http(soap_answer(), "500 Internal Server Error"), "HTTP 500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + soap_answer(), "connection broke"),
        (b"\x00\x01 what is this\r\n\r\n", "connection broke"),
        (b"", "connection broke"),
    ],
)
def test_a_reply_without_sense_leaves_the_outcome_unknown(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel, response: bytes, words: str
) -> None:
    """An HTTP 200 is not acceptance, and a broken reply is no failure: the report may be there."""
    outcome = make_carrier(make_server(answering(response)).port).deliver(parcel)
    assert isinstance(outcome, Unknown)
    assert words in outcome.reason
    assert "resolve" in outcome.remedy


def test_the_evidence_is_the_raw_reply(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel, replies: Path
) -> None:
    """Whoever settles an unknown outcome sees what the server really said."""
    outcome = make_carrier(make_server(answering(http(HTML))).port).deliver(parcel)
    assert isinstance(outcome, Unknown)
    assert outcome.evidence is not None
    assert outcome.evidence.read_bytes() == HTML
    assert list(replies.iterdir()) == [outcome.evidence]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel, status: int
) -> None:
    """A redirect followed would post the report again, thirty times if the server likes."""
    server = make_server()
    where = f"https://localhost:{server.port}/again"
    server.behaviour = answering(http(b"", f"{status} Moved", Location=where))
    outcome = make_carrier(server.port).deliver(parcel)
    assert isinstance(outcome, Unknown)
    assert "redirect" in outcome.reason
    assert len(server.requests) == 1


def test_silence_after_the_upload_is_unknown_and_not_repeated(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """A report the authority may already hold is never sent twice."""

    def behave(visit: Visit) -> None:
        visit.read_request()
        visit.leaving.wait(10)

    server = make_server(behave)
    outcome = make_carrier(server.port, operation_timeout_seconds=0.5).deliver(parcel)
    assert isinstance(outcome, Unknown)
    assert "silent for 0.5 seconds" in outcome.reason
    assert len(server.requests) == 1


def test_a_dripping_reply_is_cut(make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel) -> None:
    """A server that sends a byte now and then does not hold the run for ever."""

    def behave(visit: Visit) -> None:
        visit.read_request()
        visit.send(http(soap_answer())[:120])
        while not visit.leaving.wait(0.05):
            visit.send(b" ")

    carrier = make_carrier(make_server(behave).port, call_timeout_seconds=1)
    started = time.monotonic()
    outcome = carrier.deliver(parcel)
    assert time.monotonic() - started < 5
    assert isinstance(outcome, Unknown)
    assert "not over after 1 seconds" in outcome.reason


def test_a_server_that_takes_bytes_slowly_is_cut(
    make_server: MakeServer, make_carrier: MakeCarrier, make_parcel: MakeParcel
) -> None:
    """Nor does one that accepts a byte now and then."""

    def behave(visit: Visit) -> None:
        while not visit.leaving.wait(0.05):
            visit._line.recv(2000)

    parcel = make_parcel(LARGE)
    carrier = make_carrier(make_server(behave).port, call_timeout_seconds=1)
    started = time.monotonic()
    outcome = carrier.deliver(parcel)
    assert time.monotonic() - started < 5
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("length", [True, False], ids=["announced", "chunked"])
def test_a_reply_without_end_is_cut(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel, length: bool
) -> None:
    """The disk is not filled by whoever answers."""

    def behave(visit: Visit) -> None:
        visit.read_request()
        size = b"Content-Length: 99999999999" if length else b"Connection: close"
        visit.send(b"HTTP/1.1 200 OK\r\n" + size + b"\r\n\r\n")
        while True:
            visit.send(b" " * 65536)

    outcome = make_carrier(make_server(behave).port, largest_reply_bytes=1_000_000).deliver(parcel)
    assert isinstance(outcome, Unknown)
    assert "larger than 1,000,000 bytes" in outcome.reason
    assert outcome.evidence is not None
    assert outcome.evidence.stat().st_size < 2_000_000


@pytest.mark.parametrize("direction", ["sent", "received"])
def test_wherever_the_line_is_cut_the_outcome_is_true(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel, direction: str
) -> None:
    """Unreachable is never said of a report that the authority read to its end."""
    server = make_server()
    with CuttingProxy(server.port) as whole:
        assert isinstance(make_carrier(whole.port).deliver(parcel), Delivered)
        total = getattr(whole, direction)
    seen = set()
    for limit in range(1, total, max(1, total // 25)):
        server.requests.clear()
        cut: dict[str, Any] = {f"cut_after_{direction}": limit}
        with CuttingProxy(server.port, **cut) as proxy:
            outcome = make_carrier(proxy.port).deliver(parcel)
        seen.add(type(outcome))
        assert isinstance(outcome, Unreachable | Unknown | Delivered)
        if isinstance(outcome, Unreachable):
            assert server.requests == []
        if isinstance(outcome, Delivered):
            assert len(server.requests) == 1
    assert {Unreachable, Unknown} <= seen


def test_a_full_disk_here_does_not_hide_that_it_was_sent(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel, replies: Path
) -> None:
    """What fails on this machine after the call began does not count as not sent."""

    def behave(visit: Visit) -> None:
        visit.read_request()
        replies.rmdir()
        visit.send(http(soap_answer()))

    outcome = make_carrier(make_server(behave).port).deliver(parcel)
    assert isinstance(outcome, Unknown)
    assert "file on this machine" in outcome.reason


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
