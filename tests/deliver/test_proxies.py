"""A proxy on the way out: reports go through it, and whatever it does, what is claimed is true."""

from __future__ import annotations

import base64
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from ajpes_reporting.deliver.sftp.carrier import SftpCarrier
from ajpes_reporting.deliver.sftp.session import SftpServer
from ajpes_reporting.domain.errors import NotDelivered
from ajpes_reporting.domain.outcomes import Delivered, Outcome, Unknown, Unreachable
from ajpes_reporting.domain.ports import Carrier, Parcel
from ajpes_reporting.network.line import Proxy
from ajpes_reporting.network.tls_context import tls_context
from tests.deliver.conftest import REPORT, Keys, MakeCarrier, MakeParcel, MakeServer
from tests.deliver.handovers import Watched
from tests.servers.cutting_proxy import CuttingProxy
from tests.servers.proxies import (
    SmallProxy,
    Talk,
    Tinyproxy,
    connecting,
    dripping,
    find_tinyproxy,
    running_tinyproxy,
    saying,
)
from tests.servers.sshd import Sshd

LARGE = REPORT.replace(b"</Nodurs>", b"<!--" + b"x" * 4_000_000 + b"--></Nodurs>")
PASSWORD = "Geslo: č"
MakeProxy = Callable[..., SmallProxy]
MakeTinyproxy = Callable[..., Tinyproxy]
MakeCarriers = Callable[..., dict[str, Carrier]]


@pytest.fixture
def make_proxy() -> Iterator[MakeProxy]:
    """Starts a small proxy that behaves as told."""
    with ExitStack() as stack:
        yield lambda *settings, **named: stack.enter_context(SmallProxy(*settings, **named))


@pytest.fixture
def make_tinyproxy(tmp_path: Path) -> Iterator[MakeTinyproxy]:
    """Starts tinyproxy with further rules."""
    program = find_tinyproxy()
    if program is None:
        pytest.skip("install tinyproxy")
    with ExitStack() as stack:
        yield lambda *rules: stack.enter_context(
            running_tinyproxy(program, tmp_path / f"proxy{len(rules)}", *rules)
        )


def to(port: int, host: str = "127.0.0.1", **more: object) -> Proxy:
    return replace(Proxy(host, port, "soap.proxy"), **more)


@pytest.fixture
def carriers(make_server: MakeServer, make_carrier: MakeCarrier, sftp_settings: SftpServer) -> MakeCarriers:
    """Both ways through one proxy."""

    def make(proxy: Proxy, seconds: float = 10) -> dict[str, Carrier]:
        return {
            "soap": make_carrier(make_server().port, proxy=proxy, connect_timeout_seconds=seconds),
            "sftp": SftpCarrier(replace(sftp_settings, proxy=proxy, connect_timeout_seconds=seconds)),
        }

    return make


# --- It lets us through ---


def test_reports_go_through_a_real_proxy_by_both_ways(
    carriers: MakeCarriers,
    make_tinyproxy: MakeTinyproxy,
    make_parcel: MakeParcel,
    sshd: Sshd,
) -> None:
    """A bank lets nothing out but what its proxy knows, by name and password."""
    proxy = make_tinyproxy("BasicAuth banka Geslo-1")
    through = carriers(to(proxy.port, username="banka", password="Geslo-1"))
    parcel = make_parcel(LARGE)
    for carrier in through.values():
        assert isinstance(carrier.deliver(parcel), Delivered)
        assert carrier.inspect()
    assert (sshd.box("nodurs", "v_ajpes") / parcel.file_name).read_bytes() == LARGE


@pytest.mark.parametrize("way", ["soap", "sftp"])
@pytest.mark.parametrize(
    ("rules", "login", "told"),
    [
        (("BasicAuth banka Geslo-1",), None, "asks for user name and password"),
        (
            ("BasicAuth banka Geslo-1",),
            ("banka", "napak"),
            "does not accept our user name and password (HTTP 401)",
        ),
        (("ConnectPort 443",), None, "does not let us through to"),
        (("Allow 10.0.0.1",), None, "does not let us through to"),
    ],
)
def test_what_a_real_proxy_refuses_is_told(
    carriers: MakeCarriers,
    make_tinyproxy: MakeTinyproxy,
    parcel: Parcel,
    way: str,
    rules: tuple[str, ...],
    login: tuple[str, str] | None,
    told: str,
) -> None:
    """Whoever runs the proxy is asked the right thing; nothing of the report was there."""
    username, password = login or (None, None)
    proxy = to(make_tinyproxy(*rules).port, username=username, password=password)
    outcome = carriers(proxy)[way].deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert told in outcome.reason
    assert "napak" not in outcome.reason + outcome.remedy


def test_a_real_proxy_that_finds_nobody_is_told(
    make_carrier: MakeCarrier, make_tinyproxy: MakeTinyproxy, parcel: Parcel
) -> None:
    """The address is wrong, not the proxy."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    outcome = make_carrier(port, proxy=to(make_tinyproxy().port)).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert f"could not reach localhost:{port} (HTTP 5" in outcome.reason


def test_an_encrypted_proxy_is_gone_through_by_both_ways(
    carriers: MakeCarriers, make_proxy: MakeProxy, keys: Keys, make_parcel: MakeParcel
) -> None:
    """The password for the proxy does not cross the bank's network in the clear."""
    proxy = make_proxy(connecting(), _over_tls(keys))
    context = tls_context(keys.ca, "soap.proxy_ca")
    parcel = make_parcel(LARGE)
    through = carriers(to(proxy.port, "localhost", context=context, username="banka", password=PASSWORD))
    for carrier in through.values():
        assert isinstance(carrier.deliver(parcel), Delivered)
        assert carrier.inspect()
    login = base64.b64encode(f"banka:{PASSWORD}".encode())
    assert all(b"Proxy-Authorization: Basic " + login in head for head in proxy.asked)


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_a_refused_client_certificate_is_heard_through_a_proxy(
    make_server: MakeServer, make_carrier: MakeCarrier, make_proxy: MakeProxy, keys: Keys, parcel: Parcel,
    is_encrypted: bool,
) -> None:  # fmt: skip
    """With TLS 1.3 the authority says no after the handshake; a tunnel does not hide that."""
    server = make_server()
    context = tls_context(keys.ca, "soap.proxy_ca") if is_encrypted else None
    proxy = make_proxy(connecting(), _over_tls(keys) if is_encrypted else None)
    proxied = to(proxy.port, "localhost", context=context)
    carrier = make_carrier(server.port, client=keys.foreign_client, proxy=proxied)
    outcome = carrier.deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "does not trust the issuer" in outcome.reason
    assert server.requests == []
    with pytest.raises(NotDelivered, match="does not trust the issuer"):
        carrier.inspect()


@pytest.mark.parametrize(
    ("host", "asked"), [("elsewhere.example", b"elsewhere.example:443"), ("[::1]", b"[::1]:443")]
)
def test_names_and_addresses_are_for_the_proxy_to_find(
    make_server: MakeServer, make_carrier: MakeCarrier, make_proxy: MakeProxy, keys: Keys, parcel: Parcel,
    host: str, asked: bytes,
) -> None:  # fmt: skip
    """Inside a bank no name server knows the authority."""
    server = make_server(certificate=keys.other_host_server)
    proxy = make_proxy(connecting(server.port))
    outcome = make_carrier(443, host=host, proxy=to(proxy.port)).deliver(parcel)
    assert isinstance(outcome, Delivered if host[0] == "e" else Unreachable)
    assert proxy.asked[0].startswith(b"CONNECT " + asked + b" HTTP/1.1\r\nHost: " + asked + b"\r\n")


def test_a_proxy_with_an_ipv6_address(
    make_server: MakeServer, make_carrier: MakeCarrier, make_proxy: MakeProxy, parcel: Parcel
) -> None:
    """It is one like any other."""
    proxy = make_proxy(connecting(), host="::1")
    assert isinstance(
        make_carrier(make_server().port, proxy=to(proxy.port, "::1")).deliver(parcel), Delivered
    )


def test_a_server_that_speaks_first_loses_no_word(
    sftp_settings: SftpServer, make_proxy: MakeProxy, parcel: Parcel
) -> None:
    """The greeting of an SFTP server may come in one packet with the proxy's answer."""

    proxy = make_proxy(connecting(waits_for_greeting=True))
    assert isinstance(SftpCarrier(replace(sftp_settings, proxy=to(proxy.port))).deliver(parcel), Delivered)


def test_the_environment_does_not_take_the_proxy_away(
    make_server: MakeServer,
    make_carrier: MakeCarrier,
    make_proxy: MakeProxy,
    parcel: Parcel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the settings say holds, whatever a shell has set for browsers."""
    for name, value in (("NO_PROXY", "*"), ("HTTPS_PROXY", "http://127.0.0.1:9")):
        monkeypatch.setenv(name, value)
    proxy = make_proxy(connecting())
    assert isinstance(make_carrier(make_server().port, proxy=to(proxy.port)).deliver(parcel), Delivered)
    assert len(proxy.asked) == 1


# --- It does not ---

TROUBLE: dict[str, tuple[Talk, str]] = {
    "forbidden": (saying(b"HTTP/1.1 403 Forbidden\r\n\r\nno"), "does not let us through to"),
    "asks for a login": (
        saying(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\n\r\n"),
        "asks for user name and password (HTTP 407)",
    ),
    "takes Windows logins alone": (
        saying(b"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\nproxy-authenticate: Negotiate\r\n\r\n"),
        "takes a login by NTLM, Negotiate alone",
    ),
    "bad gateway": (saying(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"), "could not reach"),
    "unavailable": (saying(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n\r\n"), "could not reach"),
    "gateway timeout": (saying(b"HTTP/1.0 504 Gateway Timeout\r\n\r\n"), "could not reach"),
    "no proxy": (saying(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n<html>"), "makes no connections for us"),
    "sends us elsewhere": (saying(b"HTTP/1.1 302 Found\r\nLocation: https://login/\r\n\r\n"), "HTTP 302"),
    "hangs up": (saying(b""), "hung up before it had answered"),
    "hangs up half way": (saying(b"HTTP/1.1 200 Connec"), "hung up before it had answered"),
    "another server": (saying(b"SSH-2.0-OpenSSH_9\r\n"), "does not answer as a proxy does"),
    "speaks TLS": (saying(b"\x15\x03\x01\x00\x02", hangs_up=False), "does not answer as a proxy does"),
    "talks without end": (saying(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000), "come to an end"),
    "a status that is none": (saying(b"HTTP/1.1 2OO OK\r\n\r\n"), "does not answer as a proxy does"),
    "silent": (saying(b"", hangs_up=False), "the server did not answer in time"),
    "silent in the middle": (
        saying(b"HTTP/1.1 200 OK\r\n", hangs_up=False), "the server did not answer in time"),
    "drips": (dripping(b"x"), "the server did not answer in time"),
}  # fmt: skip


@pytest.mark.parametrize("way", ["soap", "sftp"])
@pytest.mark.parametrize("what", TROUBLE)
def test_whatever_a_proxy_does_instead_nothing_has_arrived(
    carriers: MakeCarriers, make_proxy: MakeProxy, parcel: Parcel, what: str, way: str
) -> None:
    """The authority has heard nothing, so the other way is open, and the proxy is named."""
    talk, told = TROUBLE[what]
    is_slow = "in time" in told
    proxy = make_proxy(talk)
    handed_over: list[str] = []
    started = time.monotonic()
    outcome = carriers(to(proxy.port), 0.5 if is_slow else 10)[way].deliver(
        parcel, handover=Watched(handed_over.append)
    )
    assert time.monotonic() - started < 20
    assert isinstance(outcome, Unreachable)
    assert f"the proxy 127.0.0.1:{proxy.port}" in outcome.reason
    assert told in outcome.reason
    assert "proxy" in outcome.remedy
    assert handed_over == []


@pytest.mark.parametrize("way", ["soap", "sftp"])
@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("127.0.0.1", "the server refuses connections"),
        ("proxy.invalid", "the server's name cannot be resolved"),
    ],
)
def test_a_proxy_that_is_not_there_is_told_as_that(
    carriers: MakeCarriers, parcel: Parcel, way: str, host: str, told: str
) -> None:
    """Not the authority is down."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    outcome = carriers(to(port, host))[way].deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert f"the proxy {host}:{port} was not reached ({told})" in outcome.reason
    assert "soap.proxy" in outcome.remedy


@pytest.mark.parametrize(
    ("certificate", "told"),
    [("foreign_server", "was issued by somebody we do not trust"), ("expired_server", "has expired")],
)
def test_an_encrypted_proxy_that_cannot_prove_itself_gets_no_password(
    make_server: MakeServer, make_carrier: MakeCarrier, make_proxy: MakeProxy, keys: Keys, parcel: Parcel,
    certificate: str, told: str,
) -> None:  # fmt: skip
    """Somebody else on its port learns nothing."""
    proxy = make_proxy(connecting(), _over_tls(keys, certificate))
    proxied = to(
        proxy.port, "localhost", context=tls_context(keys.ca, "x"), username="banka", password=PASSWORD
    )
    outcome = make_carrier(make_server().port, proxy=proxied).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert f"the proxy localhost:{proxy.port} was not reached (" in outcome.reason
    assert f"the server's certificate {told}" in outcome.reason
    assert "soap.proxy_ca" in outcome.remedy
    assert proxy.asked == []


def test_a_plain_proxy_that_was_set_as_an_encrypted_one_is_told(
    make_carrier: MakeCarrier, make_tinyproxy: MakeTinyproxy, keys: Keys, parcel: Parcel
) -> None:
    """One letter too many in the settings; it waits for the end of a line that never comes."""
    proxied = to(make_tinyproxy().port, context=tls_context(keys.ca, "x"))
    outcome = make_carrier(9, proxy=proxied, connect_timeout_seconds=0.5).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "was not reached (the server did not answer in time)" in outcome.reason
    assert "soap.proxy (http:// or https://)" in outcome.remedy


def test_a_proxy_that_opens_the_line_is_named(
    make_server: MakeServer, make_carrier: MakeCarrier, make_proxy: MakeProxy, keys: Keys, parcel: Parcel
) -> None:
    """Its own issuer stands in the message, and nobody reads the report but the authority."""
    inspecting = make_server(certificate=keys.foreign_server, client_ca=None)
    proxy = make_proxy(connecting(inspecting.port))
    outcome = make_carrier(443, host="localhost", proxy=to(proxy.port)).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert f"through the proxy 127.0.0.1:{proxy.port}" in outcome.reason
    assert "issued by somebody we do not trust: " in outcome.reason
    assert "opens what is encrypted" in outcome.remedy
    assert inspecting.requests == []


# --- It fails later ---


@pytest.mark.parametrize("after", [200, 100_000])
@pytest.mark.parametrize("way", ["soap", "sftp"])
def test_a_proxy_that_dies_is_as_a_line_that_breaks(
    make_server: MakeServer, make_carrier: MakeCarrier, sftp_settings: SftpServer,
    make_tinyproxy: MakeTinyproxy, make_parcel: MakeParcel, way: str, after: int,
) -> None:  # fmt: skip
    """The same is claimed, whoever was in between."""
    port = make_server().port if way == "soap" else sftp_settings.port

    def outcome(line: CuttingProxy, proxy: Proxy | None) -> Outcome:
        with line:
            if way == "soap":
                return make_carrier(line.port, proxy=proxy).deliver(make_parcel(LARGE))
            settings = replace(sftp_settings, port=line.port, proxy=proxy)
            return SftpCarrier(settings).deliver(make_parcel(LARGE))

    proxy = make_tinyproxy()
    broken = outcome(CuttingProxy(port, cut_after_sent=after, faulty_connections=9), None)
    died = outcome(CuttingProxy(port, cut_after_sent=after, at_limit=proxy.kill), to(proxy.port))
    assert type(died) is type(broken)
    assert isinstance(died, Unknown if way == "soap" and after > 200 else Unreachable)


@pytest.mark.parametrize("way", ["soap", "sftp"])
def test_after_the_hand_over_nobody_knows(
    carriers: MakeCarriers,
    make_tinyproxy: MakeTinyproxy,
    make_parcel: MakeParcel,
    way: str,
) -> None:
    """From then on the authority may have it, and it is not sent again."""
    proxy = make_tinyproxy()

    handover = Watched(begin=lambda _waits_as: proxy.kill())
    outcome = carriers(to(proxy.port))[way].deliver(make_parcel(LARGE), handover=handover)
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("way", ["soap", "sftp"])
def test_a_whole_call_is_cut_through_a_proxy_too(
    make_server: MakeServer, make_carrier: MakeCarrier, sftp_settings: SftpServer, make_proxy: MakeProxy,
    keys: Keys, parcel: Parcel, way: str,
) -> None:  # fmt: skip
    """The limit on a call holds for every line, also for one that is encrypted twice."""

    def silent(visit: object) -> None:
        visit.read_request()  # type: ignore[attr-defined]
        visit.leaving.wait(60)  # type: ignore[attr-defined]

    proxy = make_proxy(connecting(), _over_tls(keys))
    proxied = to(proxy.port, "localhost", context=tls_context(keys.ca, "x"))
    started = time.monotonic()
    if way == "soap":
        carrier: Carrier = make_carrier(make_server(silent).port, proxy=proxied, call_timeout_seconds=1)
        assert isinstance(carrier.deliver(parcel), Unknown)
    else:
        with CuttingProxy(sftp_settings.port, cut_after_received=100, silent=True) as quiet:
            settings = replace(sftp_settings, port=quiet.port, proxy=proxied, call_timeout_seconds=1)
            assert isinstance(SftpCarrier(settings).deliver(parcel), Unreachable)
    assert time.monotonic() - started < 20


def _over_tls(keys: Keys, certificate: str = "server") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(getattr(keys, certificate))
    return context
