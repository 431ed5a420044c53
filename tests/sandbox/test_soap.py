"""The web service: called by zeep from the shipped WSDL, by httpx with hostile bodies, and by curl."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest
import requests
import zeep
from lxml import etree

from ajpes_reporting.sandbox import Sandbox
from tests.sandbox.conftest import findings, letter, tls, validated
from tests.sandbox.letters import SERVICE, SOAP, cancellation, event, message, one

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = one(event("1"), count=1, total=10000)
RESULT = f"{{{SOAP}}}Body/{{{SERVICE}}}BlokPodOddajResponse/{{{SERVICE}}}BlokPodOddajResult"


def result(response: httpx.Response) -> etree._Element:
    """The BlokOdgovor in a response, after its schema has been asked."""
    assert (response.status_code, response.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    (answer,) = etree.fromstring(response.content).iterfind(f"{RESULT}/BlokOdgovor")
    return validated(etree.tostring(answer))


def fault(response: httpx.Response) -> str:
    """Code and text of the SOAP fault in a response."""
    assert response.status_code == 500
    (found,) = etree.fromstring(response.content).iterfind(f"{{{SOAP}}}Body/{{{SOAP}}}Fault")
    return f"{found.findtext('faultcode')}: {found.findtext('faultstring')}"


def test_zeep_reports_by_the_shipped_wsdl(sandbox: Sandbox) -> None:
    """Every client that is made from the WSDL."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(sandbox.keys.ca)
        session.cert = str(sandbox.keys.client_certificate), str(sandbox.keys.client_key)
        client = zeep.Client(sandbox.wsdl_url, transport=zeep.Transport(session=session))  # type: ignore[no-untyped-call]  # zeep ships no types
        answer = client.service.BlokPodOddaj(
            Blok={"_value_1": etree.fromstring(GOOD)},
            Ident={"string": ["5860571000", "banka", sandbox.keys.soap_password.read_text()]},
        )
    assert findings(validated(etree.tostring(answer)), "ERR") == []
    assert [(found.via, found.verdict) for found in sandbox.store.submissions()] == [("soap", "accepted")]


def test_the_book_knows_the_bytes_of_the_report(sandbox: Sandbox, client: httpx.Client) -> None:
    """An auditor, who looks for exactly what was sent, by whichever way."""
    body = letter(sandbox, GOOD)
    client.post(sandbox.soap_url, content=body)
    (found,) = sandbox.store.submissions()
    assert found.sha256 == hashlib.sha256(body).hexdigest()
    assert found.content_sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    assert found.size_bytes == len(body)


def test_the_same_report_by_both_ways_has_one_content(sandbox: Sandbox, client: httpx.Client) -> None:
    """An auditor, who must see a report that went twice."""
    client.post(sandbox.soap_url, content=letter(sandbox, GOOD))
    file = sandbox.folder / "nodurs" / "v_ajpes" / "NODURS_20261117_5860571.xml"
    file.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{GOOD}\n')
    sandbox.process_now()
    over_soap, over_sftp = sandbox.store.submissions()
    assert over_soap.content_sha256 == over_sftp.content_sha256
    assert (over_soap.via, over_sftp.via) == ("soap", "sftp")


def test_a_tampered_history_is_refused_and_a_correction_goes_through(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    """The audit trail, over the way that is used every day."""
    client.post(sandbox.soap_url, content=letter(sandbox, GOOD))
    tampered = letter(sandbox, one(event("1", 9000), count=1, total=9000))
    answer = result(client.post(sandbox.soap_url, content=tampered))
    assert "No/znesek" in findings(answer, "ERR")[0][2]
    events = event("1"), cancellation("2", "1"), event("3", 9000)
    correction = letter(sandbox, one(*events, count=3, total=29000))
    assert findings(result(client.post(sandbox.soap_url, content=correction)), "ERR") == []
    verdicts = [found.verdict for found in sandbox.store.submissions()]
    assert verdicts == ["accepted", "refused", "accepted"]


def test_a_client_without_certificate_is_turned_away(sandbox: Sandbox) -> None:
    """The authority: certificates on both sides (section 4)."""
    bare = tls(sandbox, with_certificate=False)
    with httpx.Client(verify=bare, trust_env=False) as client, pytest.raises(httpx.TransportError):
        client.post(sandbox.soap_url, content=letter(sandbox, GOOD))
    assert sandbox.store.submissions() == []


def test_the_pkcs12_bundle_holds_the_same_client(sandbox: Sandbox) -> None:
    """Banks whose certificate comes as one file."""
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    password = sandbox.keys.client_pkcs12_password.read_bytes()
    _, certificate, _ = pkcs12.load_key_and_certificates(sandbox.keys.client_pkcs12.read_bytes(), password)
    assert certificate is not None
    assert certificate.public_bytes(Encoding.PEM) == sandbox.keys.client_certificate.read_bytes()


@pytest.mark.parametrize(
    "ident",
    [
        (),
        ("5860571000",),
        ("5860571000", "banka", "wrong"),
        ("5860571000", "druga", None),
        ("1572814000", "banka", None),
    ],
)
def test_wrong_credentials_get_a_fault_and_nothing_is_entered(
    sandbox: Sandbox, client: httpx.Client, ident: tuple[str | None, ...]
) -> None:
    """The authority, and the client, who must know that nothing arrived."""
    password = sandbox.keys.soap_password.read_text()
    body = message(GOOD, *(password if text is None else text for text in ident))
    assert fault(client.post(sandbox.soap_url, content=body)).startswith("soap:Client: Identifikacija")
    assert sandbox.store.submissions() == []


def test_basic_authentication_is_the_alternative(sandbox: Sandbox, client: httpx.Client) -> None:
    """Banks that agree with AJPES on HTTP Basic."""
    login = ("banka", sandbox.keys.soap_password.read_text())
    answer = result(client.post(sandbox.soap_url, content=message(GOOD, "5860571000"), auth=login))
    assert findings(answer, "ERR") == []
    wrong = client.post(sandbox.soap_url, content=message(GOOD, "5860571000"), auth=("banka", "x"))
    assert fault(wrong).startswith("soap:Client")


def test_the_soap_action_is_read_leniently(sandbox: Sandbox, client: httpx.Client) -> None:
    """Clients that quote it, or leave it empty; but not those that call another method."""
    for action in ('""', f'"{SERVICE}/BlokPodOddaj"', f"{SERVICE}/BlokPodOddaj"):
        headers = {"SOAPAction": action}
        result(client.post(sandbox.soap_url, content=letter(sandbox, GOOD), headers=headers))
    other = client.post(sandbox.soap_url, content=letter(sandbox, GOOD), headers={"SOAPAction": "Drugo"})
    assert fault(other).startswith("soap:Client")


@pytest.mark.parametrize("body", [b"", b"{}", b"<a/>", GOOD.encode(), b"<!DOCTYPE a []><a/>"])
def test_what_is_no_call_gets_a_fault(sandbox: Sandbox, client: httpx.Client, body: bytes) -> None:
    """The authority: no body may bring it down."""
    assert fault(client.post(sandbox.soap_url, content=body)).startswith("soap:Client")


def test_a_broken_message_is_entered_as_unreadable(sandbox: Sandbox, client: httpx.Client) -> None:
    """An auditor: it did arrive, but nothing was taken."""
    fault(client.post(sandbox.soap_url, content=letter(sandbox, GOOD)[:-50]))
    assert [found.verdict for found in sandbox.store.submissions()] == ["unreadable"]
    assert sandbox.store.events() == []


@pytest.mark.parametrize("report", ["", GOOD + GOOD, "<Nodurs/>", GOOD.replace('izdajatelj="3"', "")])
def test_a_call_without_one_proper_report_is_refused(
    sandbox: Sandbox, client: httpx.Client, report: str
) -> None:
    """The bank: a refusal with a reason, not a fault, for whoever is known."""
    assert findings(result(client.post(sandbox.soap_url, content=letter(sandbox, report))), "ERR")
    assert sandbox.store.events() == []


def test_a_second_report_beside_the_first_is_not_smuggled_in(sandbox: Sandbox, client: httpx.Client) -> None:
    """The authority: what lies in the header was never checked."""
    body = letter(sandbox, GOOD).replace(b"<e:Header/>", f"<e:Header>{GOOD}</e:Header>".encode())
    assert "natanko enega" in findings(result(client.post(sandbox.soap_url, content=body)), "ERR")[0][2]


def test_a_chunked_body_is_read(sandbox: Sandbox, client: httpx.Client) -> None:
    """Clients that stream."""

    def pieces() -> Iterator[bytes]:
        body = letter(sandbox, GOOD)
        yield from (body[at : at + 100] for at in range(0, len(body), 100))

    assert findings(result(client.post(sandbox.soap_url, content=pieces())), "ERR") == []


def test_curl_reports_with_expect_100_continue(sandbox: Sandbox, tmp_path: Path) -> None:
    """Clients that ask before they send."""
    if not (curl := shutil.which("curl")):
        pytest.skip("install curl")
    body = tmp_path / "call.xml"
    body.write_bytes(letter(sandbox, GOOD))
    keys = sandbox.keys
    done = subprocess.run(
        [curl, "-sS", "--noproxy", "*", "--cacert", keys.ca, "--cert", keys.client_certificate,
         "--key", keys.client_key, "-H", "Expect: 100-continue", "-H", "Content-Type: text/xml",
         "--data-binary", f"@{body}", sandbox.soap_url],
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b'iErr="0"' in done.stdout


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", b"411"),
        (b"Content-Length: -1\r\n", b"400"),
        (b"Content-Length: 1_0\r\n", b"400"),
        (b"Content-Length: 99999999999\r\n", b"413"),
        (b"Transfer-Encoding: chunked\r\n", b"400"),
    ],
)
def test_a_body_without_honest_size_is_turned_away(sandbox: Sandbox, head: bytes, status: bytes) -> None:
    """The authority: half a message is none."""
    with (
        socket.create_connection(("127.0.0.1", sandbox.soap_port)) as plain,
        tls(sandbox).wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(b"POST /wsBlokIzmenjava.asmx HTTP/1.1\r\nHost: x\r\n" + head + b"\r\nzz\r\n")
        assert connection.recv(1000).split(b" ")[1] == status
    assert sandbox.store.submissions() == []


def test_half_a_message_is_not_entered(sandbox: Sandbox) -> None:
    """The client whose connection broke: what did not arrive whole has not arrived."""
    body = letter(sandbox, GOOD)
    head = f"POST /wsBlokIzmenjava.asmx HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.1", sandbox.soap_port)) as plain,
        tls(sandbox).wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(head.encode() + body[:-1])
    sandbox.stop()
    assert sandbox.store.submissions() == []


def test_too_large_a_message_is_turned_away(tmp_path: Path) -> None:
    """The authority's disk."""
    with Sandbox(tmp_path / "ajpes", largest_bytes=100, poll_seconds=None) as sandbox:
        with httpx.Client(verify=tls(sandbox), trust_env=False) as client:
            assert client.post(sandbox.soap_url, content=letter(sandbox, GOOD)).status_code == 413
        assert sandbox.store.submissions() == []


def test_other_addresses_are_not_found(sandbox: Sandbox, client: httpx.Client) -> None:
    """The operator with a wrong endpoint."""
    assert client.get(sandbox.soap_url).status_code == 404
    assert client.post(sandbox.soap_url + "x", content=b"x").status_code == 404


def test_a_client_that_stalls_in_the_handshake_stalls_nobody(sandbox: Sandbox, client: httpx.Client) -> None:
    """Everybody else."""
    with socket.create_connection(("127.0.0.1", sandbox.soap_port)):
        result(client.post(sandbox.soap_url, content=letter(sandbox, GOOD)))


def test_only_new_versions_of_tls_are_spoken(sandbox: Sandbox) -> None:
    """The bank's security officer."""
    with (
        socket.create_connection(("127.0.0.1", sandbox.soap_port)) as plain,
        tls(sandbox).wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        assert connection.version() in ("TLSv1.2", "TLSv1.3")
