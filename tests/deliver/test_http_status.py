"""What web servers say by themselves, a real nginx and the pages of IIS: was nothing taken, provably?"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ajpes_reporting.domain.outcomes import Delivered, Refused, Unknown, Unreachable, told
from ajpes_reporting.domain.ports import Parcel
from tests.deliver.conftest import REPORT, Keys, MakeCarrier, MakeParcel, MakeServer, soap, soap_answer
from tests.servers.https import Visit, answering, http
from tests.servers.nginx import find_nginx, running_nginx

LARGE = REPORT.replace(b"</Nodurs>", b"<!--" + b"x" * 8_000_000 + b"--></Nodurs>")
MakeNginx = Callable[..., int]


@pytest.fixture
def make_nginx(keys: Keys, tmp_path: Path) -> Iterator[MakeNginx]:
    """Starts nginx; by default it takes our certificate."""
    program = find_nginx()
    if program is None:
        pytest.skip("install nginx")
    with ExitStack() as stack:

        def make(rules: str, client_ca: Path = keys.ca) -> int:
            return stack.enter_context(
                running_nginx(program, tmp_path / "nginx", keys.server, client_ca, rules)
            )

        yield make


def fault(text: str, code: str = "soap:Server") -> bytes:
    """As ASP.NET writes one."""
    parts = f"<faultcode>{code}</faultcode><faultstring>{html.escape(text)}</faultstring><detail/>"
    return soap(f"<soap:Fault>{parts}</soap:Fault>".encode())


# Pages as IIS 10 and ASP.NET write them, shortened; the words that matter are theirs.
IIS_404_13 = b"""<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN"><html><head>
<title>IIS 10.0 Detailed Error - 404.13 - Not Found</title></head><body><h3>HTTP Error 404.13 - Not Found</h3>
<h4>The request filtering module is configured to deny a request that exceeds the request content length.</h4>
</body></html>"""
ASP_NET = (
    "System.Web.Services.Protocols.SoapException: There was an exception running the extensions specified in "
    "the config file. ---> System.Web.HttpException: Maximum request length exceeded.\r\n"
    "   at System.Web.HttpRequest.GetEntireRawContent()"
)


@pytest.mark.parametrize(
    "reply",
    [
        http(IIS_404_13, "404 Not Found", "text/html"),
        http(b"<h3>HTTP Error 404.13 - Ni najdeno</h3>", "404 Not Found", "text/html"),
        http(b"The page was not displayed because the request entity is too large.", "413 Too Large"),
        http(b"<title>Maximum request length exceeded.</title>", "500 Internal Server Error", "text/html"),
        http(fault(ASP_NET), "500 Internal Server Error"),
        http(fault(ASP_NET, "soap:Client"), "500 Internal Server Error"),
        http(fault(ASP_NET, "soap:Client"), "400 Bad Request"),
    ],
)
def test_a_report_that_is_too_large_goes_the_other_way(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel, reply: bytes
) -> None:
    """However a server puts it: it is no refusal by AJPES, and nothing to correct in the ledger."""
    outcome = make_carrier(make_server(answering(reply)).port).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "does not take a report of this size" in outcome.reason
    assert "SFTP" in outcome.remedy
    to_do = outcome.remedy.rstrip(".").lower()
    assert to_do in told(outcome).lower(), "what is to be done goes on record"
    assert outcome.evidence is not None


def test_a_bare_404_says_that_it_may_be_the_size(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """IIS shows its sub-status to itself alone; from outside 404.13 looks like any 404."""
    page = b"<title>404 - File or directory not found.</title>"
    outcome = make_carrier(make_server(answering(http(page, "404 Not Found"))).port).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "404.13" in outcome.remedy
    assert "soap.endpoint" in outcome.remedy


@pytest.mark.parametrize(
    ("status", "page", "told"),
    [
        (
            "403 Forbidden",
            b"HTTP Error 403.7 - Forbidden: SSL client certificate is required.",
            "got no client",
        ),
        (
            "403 Forbidden",
            b"HTTP Error 403.13 - Forbidden: Client certificate revoked",
            "does not accept our client",
        ),
        (
            "403 Forbidden",
            b"HTTP Error 403.16 - Forbidden: untrusted or invalid",
            "does not accept our client",
        ),
        (
            "403 Forbidden",
            b"HTTP Error 403.17 - Forbidden: expired or not yet valid",
            "does not accept our client",
        ),
        ("403 Forbidden", b"403 - Forbidden: Access is denied.", "does not let us in"),
        ("401 Unauthorized", b"HTTP Error 401.1 - Unauthorized", "user name and password"),
        ("400 Bad Request", b"<center>No required SSL certificate was sent</center>", "got no client"),
        ("400 Bad Request", b"<center>The SSL certificate error</center>", "does not accept our client"),
        (
            "400 Bad Request",
            b"<center>Request Header Or Cookie Too Large</center>",
            "the head of our request",
        ),
        ("431 Request Header Fields Too Large", b"", "the head of our request"),
        ("421 Misdirected Request", b"", "does not serve this host name"),
        ("429 Too Many Requests", b"", "for a while"),
    ],
)
def test_what_a_server_holds_against_us_is_told(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel, status: str, page: bytes, told: str
) -> None:
    """A certificate is not looked for in the names of the WSDL."""
    outcome = make_carrier(make_server(answering(http(page, status, "text/html"))).port).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert told in outcome.reason
    assert status[:3] in outcome.reason
    assert outcome.remedy


@pytest.mark.parametrize(
    ("status", "page"),
    [
        ("503 Service Unavailable", b"<h2>Service Unavailable</h2><p>HTTP Error 503."),
        ("502 Bad Gateway", b"<center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center>"),
        ("504 Gateway Time-out", b"<center><h1>504 Gateway Time-out</h1></center>"),
        ("500 Internal Server Error", b"<title>Runtime Error</title>"),
        ("408 Request Time-out", b""),
    ],
)
def test_a_server_that_may_have_passed_it_on_leaves_it_unknown(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel, status: str, page: bytes
) -> None:
    """Only proof opens the other way."""
    reply = http(page, status, "text/html", Retry_After="120")
    outcome = make_carrier(make_server(answering(reply)).port).deliver(parcel)
    assert isinstance(outcome, Unknown)
    assert status[:3] in outcome.reason


def test_an_answer_may_say_anything(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """Words on a page count where the server says no, and nowhere else; a refusal stays one."""
    reply = http(soap_answer() + b"<!-- HTTP Error 404.13, maximum request length exceeded -->")
    assert isinstance(make_carrier(make_server(answering(reply)).port).deliver(parcel), Delivered)
    refused = http(fault("Nepravilna shema", "soap:Client"), "500 Internal Server Error")
    assert isinstance(make_carrier(make_server(answering(refused)).port).deliver(parcel), Refused)


def test_what_a_service_behind_the_service_says_proves_nothing(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """The method had begun, and may have stored the report before it called another one."""
    inner = http(fault(f"Server was unable to process request. ---> {ASP_NET}"), "500 Internal Server Error")
    outcome = make_carrier(make_server(answering(inner)).port).deliver(parcel)
    assert isinstance(outcome, Unknown)
    assert "Maximum request length exceeded" in outcome.reason


def test_a_server_that_resets_the_line_in_the_middle_leaves_it_unknown(
    make_server: MakeServer, make_carrier: MakeCarrier, make_parcel: MakeParcel
) -> None:
    """IIS does so with a body that is too large; its answer is lost with the line."""

    def behave(visit: Visit) -> None:
        visit.read_head()

    outcome = make_carrier(make_server(behave).port).deliver(make_parcel(LARGE))
    assert isinstance(outcome, Unknown)


# --- A real nginx ---


def test_a_real_nginx_turns_a_large_report_away_in_the_middle(
    make_nginx: MakeNginx, make_carrier: MakeCarrier, make_parcel: MakeParcel
) -> None:
    """It says so while we are still sending, and then closes."""
    port = make_nginx("client_max_body_size 1m; location / { proxy_pass http://127.0.0.1:1; }")
    outcome = make_carrier(port).deliver(make_parcel(LARGE))
    assert isinstance(outcome, Unreachable)
    assert "(HTTP 413): the server does not take a report of this size" in outcome.reason


def test_a_real_nginx_that_does_not_know_our_issuer_is_told_as_that(
    make_nginx: MakeNginx, make_carrier: MakeCarrier, parcel: Parcel, keys: Keys
) -> None:
    """It completes the handshake, and answers 400 to whatever we ask."""
    outcome = make_carrier(make_nginx("return 200 'taken';", keys.foreign_ca)).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "(HTTP 400): the server does not accept our client certificate" in outcome.reason


@pytest.mark.parametrize(
    ("rules", "kind", "told"),
    [
        ("return 404;", Unreachable, "(HTTP 404): the server has no such service"),
        ("deny all;", Unreachable, "(HTTP 403): the server does not let us in"),
        ("return 503;", Unknown, "HTTP 503"),
        ("location / { proxy_pass http://127.0.0.1:1; }", Unknown, "HTTP 502"),
    ],
)
def test_a_real_nginx_before_the_service(
    make_nginx: MakeNginx, make_carrier: MakeCarrier, parcel: Parcel, rules: str, kind: type, told: str
) -> None:
    """Its own pages are told from the service's words."""
    outcome = make_carrier(make_nginx(rules)).deliver(parcel)
    assert isinstance(outcome, kind)
    assert told in outcome.reason


def test_a_real_nginx_that_finds_our_head_too_large_is_told_as_that(
    make_nginx: MakeNginx, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """It says 400, which would be looked for in the message."""
    port = make_nginx("client_header_buffer_size 1k; large_client_header_buffers 1 1k;")
    outcome = make_carrier(port, authentication="basic", password="x" * 2000).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "does not take the head of our request" in outcome.reason
